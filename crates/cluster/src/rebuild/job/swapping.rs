//! The copy takes the place of the server's data.

use tokio::time::{Instant, sleep};

use super::{AGAIN, Job, PATIENCE, RebuildError, SHORT};
use crate::execute::{StepError, seed};
use crate::rebuild::script;
use crate::rebuild::shell::Shell;

impl Job {
    /// Whether the server runs on the copy.
    pub(super) async fn is_swapped(&self, server: &str) -> Result<bool, RebuildError> {
        let looked =
            self.shell(server)?.run("looking at its data", &self.scripts().is_swapped(), SHORT).await?;
        Ok(looked.trim() == "swapped" && seed::answers(&self.options, server).await)
    }

    /// Stopped, replaced, started.
    pub(super) async fn swap(&self) -> Result<(), RebuildError> {
        let (server, rebuild) = (&self.progress.server, &self.options.control.rebuild);
        let shell = self.shell(server)?;
        self.held()?;
        self.progress.at("stopping the server");
        shell.run("stopping it", &self.command(&shell, &rebuild.stop), PATIENCE).await?;
        self.progress.at("putting the copy in place");
        let (began, swap) = (Instant::now(), self.scripts().swap());
        loop {
            self.held()?;
            match shell.run("putting the copy in place", &swap, PATIENCE).await {
                // A service that is said to be stopped may still be about it.
                Err(error) if error.is(script::RUNS) && began.elapsed() < SHORT => sleep(AGAIN).await,
                Err(error) if error.is(script::BUSY) && began.elapsed() < SHORT => {
                    self.await_earlier(&shell, SHORT).await?;
                    self.progress.at("putting the copy in place");
                }
                Ok(_) => break,
                Err(error) => {
                    // Where its own data are still there, it goes on with them.
                    let start = self.command(&shell, &rebuild.start);
                    if let Err(error) = shell.run("starting it again", &start, PATIENCE).await {
                        tracing::warn!(server, %error, "it was not started again");
                    }
                    return Err(error.into());
                }
            }
        }
        self.progress.at("starting the server");
        shell.run("starting it", &self.command(&shell, &rebuild.start), PATIENCE).await?;
        let began = Instant::now();
        while !seed::answers(&self.options, server).await {
            if began.elapsed() > PATIENCE {
                let what = "it does not answer after its start".to_owned();
                return Err(
                    StepError::TooSlow { server: server.clone(), what, ms: PATIENCE.as_millis() }.into()
                );
            }
            sleep(AGAIN).await;
        }
        Ok(())
    }

    fn command(&self, shell: &Shell, command: &str) -> String {
        shell.filled(command).replace("{data_dir}", &script::quoted(&self.record().data_dir))
    }
}
