// The server's process: how it is started so that it sees what it would have seen without us, but for its stdin and
// stdout.
//
// fork and execvp, from the main thread, while it is the only one. The child gets back the signal mask and dispositions
// that we were started with, keeps the process group, fd 2 and every other descriptor that we inherited, and is killed
// when we are (PR_SET_PDEATHSIG, tied to the thread that forked). Its stdin and stdout are pipes, whatever ours are:
// also where ours is a terminal, since bytes that do not come by us could not be traced, and never a pty, which would
// change echo and buffering.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "stdio/signals.h"

namespace mcptrace::stdio {

struct Child {
  pid_t pid = -1;
  UniqueFd to_stdin;
  UniqueFd from_stdout;
  UniqueFd exec_status;  // end of file = it runs; an int = errno of execvp
};

// Error: kIo if no pipe or process could be made.
Result<Child> spawn(const std::vector<std::string>& command, const SignalState& signals);

// Waits until the child runs its program; else the errno that kept it from doing so.
int wait_for_exec(Child& child);

// 127 if there is no such command, else 126; and why.
struct ExecFailure {
  int code;
  std::string reason;
};
ExecFailure explain_exec(const std::string& command, int error_number);

// As a line on stderr shows it: as it was given; of one that would not leave room for the reason, the end.
std::string shown_command(std::string_view command);

// Lets go of the descriptors that came with our start and that the child now has: whoever waits for their last holder
// to close them (an IPC channel, a lock) waits for the child alone. They become `null`, so that nothing of ours gets
// their numbers.
void let_go_of_inherited(std::span<const int> keep, int null);

}  // namespace mcptrace::stdio
