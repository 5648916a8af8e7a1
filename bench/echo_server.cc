// The server of the stdio benchmarks: answers each line's id with a result of a given size, as quickly as a program
// can.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(1, bytes.data(), bytes.size());
    if (wrote <= 0) std::exit(1);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t size = argc > 1 ? static_cast<std::size_t>(std::atoi(argv[1])) : 1024;
  const std::string head = "{\"jsonrpc\":\"2.0\",\"id\":";
  std::string tail = ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"";
  tail += std::string(size > 90 ? size - 90 : 1, 'r') + "\"}],\"isError\":false}}\n";
  std::vector<char> buffer(1 << 20);
  std::size_t have = 0;
  std::string out;
  for (;;) {
    const ssize_t got = read(0, buffer.data() + have, buffer.size() - have);
    if (got <= 0) return 0;
    have += static_cast<std::size_t>(got);
    std::size_t begin = 0;
    out.clear();
    while (const void* newline = std::memchr(buffer.data() + begin, '\n', have - begin)) {
      const auto end = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer.data());
      const std::string_view line(buffer.data() + begin, end - begin);
      const std::size_t id = line.find("\"id\":") + 5;
      out.append(head).append(line.substr(id, line.find_first_of(",}", id) - id)).append(tail);
      begin = end + 1;
    }
    write_all(out);
    std::memmove(buffer.data(), buffer.data() + begin, have - begin);
    have -= begin;
  }
}
