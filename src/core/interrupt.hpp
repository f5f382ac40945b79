#pragma once

namespace probedarts {

/// Catches SIGINT, SIGTERM and SIGUSR1 (what Slurm sends before a time limit): the first one sets a
/// flag that long work asks for between steps, a second SIGINT ends the program at once.
void catch_interrupts();

/// The signal that arrived, or 0. From any thread.
int interrupt_signal();

/// For long work between two of its steps. \throws Interrupted saying `what` once a signal arrived.
void throw_if_interrupted(const char* what);

}  // namespace probedarts
