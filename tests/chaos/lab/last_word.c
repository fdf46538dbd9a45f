/* Preloaded into hadal (LD_PRELOAD), this kills it in the very moment in which it logs a line with a certain text.
 *
 * So a test can end hadal at each step of a failover, before the step or between the step and its note in the journal, without
 * a hook for that in hadal and without chance. The text stands in the file that LAST_WORD names; it is removed as hadal dies, so
 * that the next one lives. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t write(int descriptor, const void *text, size_t length) {
    ssize_t written = syscall(SYS_write, descriptor, text, length);
    const char *name = getenv("LAST_WORD");
    if (descriptor != STDERR_FILENO || !name) return written;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return written;
    char word[256];
    ssize_t size = read(file, word, sizeof word);
    close(file);
    if (size > 0 && memmem(text, length, word, size)) {
        unlink(name);
        kill(getpid(), SIGKILL);
    }
    return written;
}
