#pragma once

namespace probedarts {

/// Catches SIGINT, SIGTERM and SIGUSR1 (what Slurm sends before a time limit): the first one sets a
/// flag that long work asks for between steps, a second SIGINT ends the program at once.
void catch_interrupts();

/// The signal that arrived, or 0.
int interrupt_signal();

}  // namespace probedarts
