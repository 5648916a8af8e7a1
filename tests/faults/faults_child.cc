// A server of odd habits: faults_child MODE [ARG]. What it does beyond stdin and stdout it says on stderr, one line
// each.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr unsigned kLifetime = 60;  // seconds: nothing that a test forgets outlives this

bool put(int fd, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

void say(const std::string& line) { put(STDERR_FILENO, line + "\n"); }

// The whole of stdin, dropped or echoed; its length.
std::size_t take_all(bool echo) {
  static char buffer[65536];
  std::size_t total = 0;
  for (;;) {
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return total;
    total += static_cast<std::size_t>(got);
    if (echo && !put(STDOUT_FILENO, std::string(buffer, static_cast<std::size_t>(got)))) _exit(99);
  }
}

[[noreturn]] void wait_for_ever() {
  for (;;) pause();
}

const std::vector<int> kAll = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH, SIGTSTP};

void on_all(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  for (const int signal : kAll) sigaction(signal, &action, nullptr);
}

void tell(int signal) {
  char line[] = "signal 00\n";
  line[7] = static_cast<char>('0' + signal / 10);
  line[8] = static_cast<char>('0' + signal % 10);
  [[maybe_unused]] const ssize_t wrote = write(STDERR_FILENO, line, sizeof(line) - 1);
}

std::string open_fds() {
  std::vector<int> fds;
  DIR* directory = opendir("/proc/self/fd");
  if (!directory) return "none";
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != dirfd(directory)) fds.push_back(fd);
  }
  closedir(directory);
  std::ranges::sort(fds);
  std::string text;
  for (const int fd : fds) text += std::to_string(fd) + " ";
  return text;
}

// Lines of /proc/self/status that start with one of these.
std::string status_lines(const std::vector<std::string>& names) {
  std::string found;
  FILE* file = std::fopen("/proc/self/status", "re");
  if (!file) return "none";
  char line[512];
  while (std::fgets(line, sizeof(line), file)) {
    for (const std::string& name : names) {
      if (std::string(line).starts_with(name)) found += line;
    }
  }
  std::fclose(file);
  return found;
}

// A child of the server that keeps its stdout; the server goes on.
void leave_grandchild(bool flood) {
  const pid_t pid = fork();
  if (pid != 0) return say("pid " + std::to_string(pid));
  alarm(kLifetime);
  signal(SIGPIPE, SIG_IGN);
  close(STDERR_FILENO);
  const std::string block(4096, 'g');
  while (flood && put(STDOUT_FILENO, block)) continue;
  wait_for_ever();
}

int pending_after_a_byte() {
  char byte;
  if (read(STDIN_FILENO, &byte, 1) != 1) return 98;
  sigset_t set;
  for (int round = 0; round < 2000; ++round) {  // the signal is on its way
    sigpending(&set);
    int found = 0;
    for (const int signal : kAll) found = sigismember(&set, signal) ? signal : found;
    if (found) return found;
    poll(nullptr, 0, 1);
  }
  return 97;
}

int blocked_alive(bool until_eof) {
  on_all(tell);
  signal(SIGPIPE, SIG_IGN);
  say("pid " + std::to_string(getpid()));
  if (!until_eof) wait_for_ever();
  take_all(true);
  say("eof");
  return 5;
}

std::string noise() {
  std::string text = "\xef\xbb\xbf banner v1.0\r\n\n\n\x1b[31mred\x1b[0m\rlone\r\n{}\n[]\nnull\n";
  text += std::string("\0\0\n\0", 4);
  unsigned state = 12345;
  for (int i = 0; i < 10 << 20; ++i) text += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

// What stands between `from` and the next of `ends` after it; empty: it is not there.
std::string between(const std::string& line, const std::string& from, const char* ends) {
  const std::size_t at = line.find(from);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + from.size();
  return line.substr(begin, line.find_first_of(ends, begin) - begin);
}

std::string answer_to(const std::string& line, bool& injected) {
  injected = line.find("{\"_meta\":{\"traceparent\":\"00-") != std::string::npos;
  const std::string id = between(line, "\"id\":", ",}");
  if (line.find("\"notifications/") != std::string::npos) return "";
  if (id.empty()) return line + "\n";
  if (line.find("\"never\"") != std::string::npos || line.find("\"result\"") != std::string::npos) return "";
  std::string out;
  const unsigned long flood = std::strtoul(between(line, "\"flood\":", ",}").c_str(), nullptr, 10);
  for (unsigned long i = 0; i < flood; ++i)
    out += R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}})"
           "\n";
  return out + R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{}})" + "\n";
}

// A server of MCP as far as it goes: answers every request but those of a tool called "never", after as many progress
// notifications as "flood" says, and echoes lines that have no id. At the end of input it says how many bytes it read,
// their FNV-1a hash (without the context that was injected), and how many lines were injected.
int serve(int status) {
  std::vector<char> block(1 << 18);
  std::string held, out;
  std::uint64_t hash = 14695981039346656037u, bytes = 0, injections = 0;
  const auto take_line = [&](std::string line) {
    bool injected = false;
    out += answer_to(line, injected);
    if (injected) {
      ++injections;
      const std::size_t meta = line.find("\"_meta\":{");
      line.erase(meta, line.find("},", meta) + 2 - meta);
    }
    line += '\n';
    bytes += line.size();
    for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  };
  for (;;) {
    const ssize_t got = read(STDIN_FILENO, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    std::size_t from = held.size(), begin = 0;
    held.append(block.data(), static_cast<std::size_t>(got));
    for (std::size_t end; (end = held.find('\n', from)) != std::string::npos; begin = from = end + 1)
      take_line(held.substr(begin, end - begin));
    held.erase(0, begin);
    if (!put(STDOUT_FILENO, out)) return 99;
    out.clear();
  }
  say("read " + std::to_string(bytes) + " " + std::to_string(hash) + " " + std::to_string(injections));
  return status;
}

using Mode = std::function<int(const std::string&)>;

using Modes = std::map<std::string, Mode>;

// What goes through the pipes, and who closes them.
void add_traffic(Modes& all) {
  all["echo"] = [](const std::string&) { return take_all(true), 0; };
  all["serve"] = [](const std::string& status) { return serve(std::atoi(status.c_str())); };
  all["banner"] = [](const std::string& count) {
    for (int left = std::atoi(count.c_str()); left > 0; --left) put(STDOUT_FILENO, "canary banner \x1b[31m\r\n");
    return serve(4);
  };
  all["exit"] = [](const std::string& code) { return std::atoi(code.c_str()); };
  all["tail"] = [](const std::string& count) {
    take_all(false);
    return put(STDOUT_FILENO, std::string(std::strtoul(count.c_str(), nullptr, 10), 't')) ? 3 : 4;
  };
  all["say-eof"] = [](const std::string&) {
    return put(STDOUT_FILENO, "up\n"), take_all(false), put(STDOUT_FILENO, "eof\n"), 0;
  };
  all["count"] = [](const std::string&) { return say("count " + std::to_string(take_all(false))), 6; };
  all["eof-now"] = [](const std::string&) { return take_all(false) == 0 ? 10 : 11; };
  all["noise"] = [](const std::string&) { return put(STDOUT_FILENO, noise()) ? 0 : 1; };
  all["stderr"] = [](const std::string& count) {
    const std::string block(65536, 'e');
    for (unsigned long left = std::strtoul(count.c_str(), nullptr, 10) / block.size(); left > 0; --left)
      put(STDERR_FILENO, block);
    return 0;
  };
  all["close-stdout"] = [](const std::string&) { return close(STDOUT_FILENO), take_all(false), 7; };
  all["close-stdin"] = [](const std::string&) {
    close(STDIN_FILENO);
    put(STDOUT_FILENO, "closed\n");
    wait_for_ever();
    return 0;
  };
  all["close-fd"] = [](const std::string& fd) { return close(std::atoi(fd.c_str())), take_all(true), 0; };
}

// Signals, and what is kept from the client.
void add_habits(Modes& all) {
  all["kill-self"] = [](const std::string& number) {
    const int which = std::atoi(number.c_str());
    signal(which, SIG_DFL);
    raise(which);
    return 99;
  };
  all["catch"] = [](const std::string&) { return blocked_alive(true); };
  all["stubborn"] = [](const std::string&) { return blocked_alive(false); };
  all["stubborn-reader"] = [](const std::string&) { return blocked_alive(true), wait_for_ever(), 0; };
  all["plain"] = [](const std::string&) { return say("pid " + std::to_string(getpid())), take_all(true), 0; };
  all["pending"] = [](const std::string&) { return say("pid 1"), pending_after_a_byte(); };
  all["on-term"] = [](const std::string&) {
    signal(SIGTERM, [](int) { tell(SIGTERM), _exit(12); });
    say("pid " + std::to_string(getpid()));
    wait_for_ever();
    return 0;
  };
  all["deaf"] = [](const std::string&) {
    signal(SIGUSR1, [](int) { [[maybe_unused]] const ssize_t wrote = write(STDOUT_FILENO, "tick\n", 5); });
    say("pid " + std::to_string(getpid()));
    wait_for_ever();
    return 0;
  };
}

// What the server sees of its surroundings.
void add_surroundings(Modes& all) {
  all["grandchild"] = [](const std::string& count) {
    leave_grandchild(false);
    return put(STDOUT_FILENO, std::string(std::strtoul(count.c_str(), nullptr, 10), 'c')) ? 8 : 9;
  };
  all["flooding-grandchild"] = [](const std::string&) { return leave_grandchild(true), 8; };
  all["fds"] = [](const std::string&) { return put(STDOUT_FILENO, open_fds() + "\n"), 0; };
  all["has-stderr"] = [](const std::string&) { return fcntl(STDERR_FILENO, F_GETFD) >= 0 ? 20 : 21; };
  all["signals"] = [](const std::string&) {
    return put(STDOUT_FILENO, status_lines({"SigBlk", "SigIgn", "SigCgt"})), 0;
  };
  all["place"] = [](const std::string&) {
    char directory[4096] = "gone";
    if (!getcwd(directory, sizeof(directory))) std::strcpy(directory, "gone");
    const char* variable = getenv("FAULTS_VARIABLE");
    put(STDOUT_FILENO, std::to_string(getpgrp()) + " " + std::to_string(getsid(0)) + " " + directory + " " +
                           (variable ? variable : "unset") + "\n");
    return 0;
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  alarm(kLifetime);
  Modes all;
  add_traffic(all);
  add_habits(all);
  add_surroundings(all);
  const auto found = all.find(argv[1]);
  if (found == all.end()) return 2;
  return found->second(argc > 2 ? argv[2] : "");
}
