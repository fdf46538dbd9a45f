//! The command line of `hadal playground`.

use std::path::PathBuf;

/// Starts a primary and its replicas from this machine's own `mariadbd`, with hadal in front of them.
///
/// Stops everything it started on Ctrl-C. Without --dir the data is thrown away at the end.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  hadal playground                                     a primary and two replicas, thrown away on Ctrl-C
  hadal playground --dir ~/shop                        keeps the data and starts with it again
  hadal playground --gateway-port 7033 --admin-port 7080 --base-port 17001   a second one beside the first
  hadal playground --detach && hadal playground --stop")]
pub(crate) struct PlaygroundArgs {
    /// How many replicas the primary gets [default: 2, or what --dir was made with]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=16))]
    pub(crate) replicas: Option<u16>,

    /// Keeps data, configuration and logs in this folder; started again with it, the playground goes on where it was
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,

    /// Port of the first database server; the others follow it (0: any free ports)
    #[arg(long, value_name = "PORT", default_value_t = 16001)]
    pub(crate) base_port: u16,

    /// Port on which applications connect to hadal (0: any free port)
    #[arg(long, value_name = "PORT", default_value_t = 6033)]
    pub(crate) gateway_port: u16,

    /// Port of the admin API and the metrics (0: any free port)
    #[arg(long, value_name = "PORT", default_value_t = 6080)]
    pub(crate) admin_port: u16,

    /// The `mariadbd` to run [default: the one in PATH or in /usr/sbin]
    #[arg(long, value_name = "PATH")]
    pub(crate) server_bin: Option<PathBuf>,

    /// Password of the `app` user
    #[arg(long, value_name = "PASSWORD", default_value = "app")]
    pub(crate) app_password: String,

    /// Goes to the background once everything is ready
    #[arg(long, conflicts_with = "stop")]
    pub(crate) detach: bool,

    /// Stops the playground that uses this --dir, or this --gateway-port
    #[arg(long)]
    pub(crate) stop: bool,

    /// Prints one line of JSON on standard output when ready, instead of text for people
    #[arg(long)]
    pub(crate) json: bool,
}
