// What a server is called by its command: each launcher, and each way in which a person's name or a secret could come
// through.
#include "app/launch_name.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "app/launchers.h"

namespace mcptrace::app {
namespace {

constexpr LaunchUser kAnn{.home = "/home/ann", .logname = "ann", .user = "ann"};

// Words stand apart by spaces; those of a shell's line by "_".
std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> words{""};
  bool shell = false;
  for (const char c : line) {
    if (c == ' ') {
      words.emplace_back();
    } else if (c == '{' || c == '}') {
      shell = c == '{';
    } else {
      words.back() += shell && c == '_' ? ' ' : c;
    }
  }
  return words;
}

std::string name_of(std::string_view line, const LaunchUser& user = kAnn) { return launch_name(words(line), user); }

struct Case {
  const char* command;
  const char* name;
};

void expect_names(std::span<const Case> cases, const LaunchUser& user = kAnn) {
  for (const auto& [command, name] : cases) EXPECT_EQ(name_of(command, user), name) << command;
}

TEST(LaunchName, OfANpmPackage) {
  constexpr Case kCases[] = {
      {"npx @acme/files", "@acme/files"},
      {"npx -y @acme/files@1.2 /data", "@acme/files"},
      {"npx --yes files@latest --key abc", "files"},
      {"/usr/local/bin/npx -y -- files@^2", "files"},
      {"npx.cmd -y files", "files"},
      {"npx --registry https://r.example/ --loglevel=error files", "files"},
      {"npx -p @acme/files@1 files-server --key abc", "@acme/files"},
      {"npx --package=@acme/files -c {files-server_--key}", "@acme/files"},
      {"npx -c {files-server_--key_abc}", "files-server"},
      {"npm exec files@1", "files"},
      {"npm exec --yes -- @acme/files@1.2 x", "@acme/files"},
      {"npm --silent exec --package=files -- cmd", "files"},
      {"npm x files", "files"},
      {"pnpm dlx @acme/files@1", "@acme/files"},
      {"pnpm --package=@acme/files dlx files", "@acme/files"},
      {"pnpx files@2", "files"},
      {"bunx @acme/files@1.0.0", "@acme/files"},
      {"bunx --bun -p @acme/files ng", "@acme/files"},
      {"bun x files@1", "files"},
      {"yarn dlx -q files@1 x", "files"},
      {"yarn dlx -p @acme/files files", "@acme/files"},
      {"npx -y tsx src/weather.ts", "weather"},
      {"npx -y tsx", "tsx"},
      {"npx -y alias@npm:files@1", "npx"},
  };
  expect_names(kCases);
}

TEST(LaunchName, OfAPythonPackage) {
  constexpr Case kCases[] = {
      {"uvx mcp-server-git --repository /x", "mcp-server-git"},
      {"uvx mcp-server-git@latest", "mcp-server-git"},
      {"uvx mcp_server==1.2", "mcp_server"},
      {"uvx mcp[cli]>=1.2", "mcp"},
      {"uvx --from mcp-git==1.2 mcp-git-server", "mcp-git"},
      {"uvx --from git+https://ann:token@host.example/ann/x serena start", "serena"},
      {"uvx --python 3.12 --with requests -q weather", "weather"},
      {"uvx --with=requests weather", "weather"},
      {"uvx python -m weather.server", "weather.server"},
      {"uv tool run --from weather[all]~=1.0 w", "weather"},
      {"uv --offline tool run weather", "weather"},
      {"pipx run weather==1.2 --key abc", "weather"},
      {"pipx run --spec weather-mcp==1.2 weather", "weather-mcp"},
      {"pipx run --spec git+https://token@host/x weather", "weather"},
      {"pipx run --python python3.11 --no-cache weather", "weather"},
  };
  expect_names(kCases);
}

TEST(LaunchName, OfAModule) {
  constexpr Case kCases[] = {
      {"python -m mcp_server_git --repository /x", "mcp_server_git"},
      {"/home/ann/.venv/bin/python3.12 -u -X dev -W ignore -m weather.tools", "weather.tools"},
      {"python3 -Xutf8 -Bm weather", "python3"},
      {"uv run -m weather", "weather"},
      {"uv run python -m weather", "weather"},
      {"uv run --module weather --key abc", "weather"},
  };
  expect_names(kCases);
}

TEST(LaunchName, OfAScript) {
  constexpr Case kCases[] = {
      {"node weather.mjs", "weather"},
      {"nodejs --import ./hook.mjs --no-warnings -r dotenv/config weather.js", "weather"},
      {"node --max-old-space-size=4096 --env-file=.env /srv/weather/dist/index.js", "weather"},
      {"node --inspect=127.0.0.1:9229 weather.cjs", "weather"},
      {"node /opt/node_modules/@acme/server-files/dist/index.js stdio", "server-files"},
      {"node /srv/weather/src/server/main.js", "weather"},
      {"node weather/build/cli.js", "weather"},
      {"node x/../weather/./index.js", "weather"},
      {"node.exe C:\\tools\\weather\\build\\index.js", "weather"},
      {"bun weather.ts", "weather"},
      {"bun --watch run src/weather.ts", "weather"},
      {"bun run --cwd /srv/weather index.ts", "weather"},
      {"deno run -A --allow-net=example.com -R=/data weather.ts", "weather"},
      {"deno run --import-map map.json --no-prompt npm:@acme/files@1.2", "@acme/files"},
      {"deno run -A jsr:@acme/files", "@acme/files"},
      {"deno run https://user:token@deno.example:8443/x/secret.ts?k=v", "deno.example"},
      {"tsx weather.ts", "weather"},
      {"tsx watch --clear-screen=false weather.ts", "weather"},
      {"tsx --tsconfig tsconfig.json src/weather.ts", "weather"},
      {"python -u weather.py", "weather"},
      {"python3 -W ignore /srv/weather/__main__.py", "weather"},
      {"ruby -w -Ilib -r json weather.rb", "weather"},
      {"java -Dkey=value -Xmx1g -cp a.jar -jar /srv/weather.jar --spring", "weather"},
      {"java -cp a.jar com.acme.Main", "java"},
      {"uv run weather.py", "weather"},
      {"uv --directory /srv/weather run server.py", "weather"},
      {"uv run --directory /srv/weather --with mcp[cli] --frozen server.py", "weather"},
      {"uv --directory=/srv/weather run python main.py", "weather"},
      {"uv run --project /srv/x weather-server --key abc", "weather-server"},
      {"uv run -- fastmcp run server.py", "fastmcp"},
      {"env -C /srv/weather node index.js", "weather"},
  };
  expect_names(kCases);
}

TEST(LaunchName, OfAnImage) {
  constexpr Case kCases[] = {
      {"docker run -i --rm acme/db", "db"},
      {"docker run -i --rm -e KEY=secret -e TOKEN --env-file .env -v /home/ann:/data db:3", "db"},
      {"docker --context ann run -it --name ann-db --mount type=bind,src=/home/ann,dst=/x ghcr.io/acme/db:3 /x", "db"},
      {"docker run --network=host --pull always registry.example:5000/team/db@sha256:0123 --key abc", "db"},
      {"podman run --userns keep-id --init docker.io/acme/db:latest", "db"},
      {"docker run localhost:5000/db", "db"},
      {"docker run KEY=abc/secret", "docker"},
      {"docker run /home/bob", "docker"},
      {"docker run ./secret", "docker"},
      {"docker run bob@host:/srv/secret", "docker"},
      {"docker run https://user:secret@host/secret", "docker"},
      {"docker compose run db", "docker"},
      {"docker exec -i ann-container server", "docker"},
  };
  expect_names(kCases);
}

TEST(LaunchName, OfAShellsLine) {
  const Case kCases[] = {
      {"sh -c {npx_-y_files@1_/data}", "files"},
      {"bash -lc {exec_npx_-y_@acme/files_2>/tmp/log}", "@acme/files"},
      {"/bin/bash -l -c {KEY=secret_TOKEN='a_b'_exec_node_\"/srv/my_things/weather/index.js\"}", "weather"},
      {"zsh -ic {uvx_weather\n}", "weather"},
      {"env -u X KEY=secret npx -y files", "files"},
      {"env -i PATH=/bin KEY=secret files-server", "files-server"},
      {"/usr/bin/env -S {node_--no-warnings_weather.js}", "weather"},
      {"exec -a ann files-server", "files-server"},
      {"cmd /c npx -y files", "files"},
      {"cmd.exe /d /s /c npx.cmd files", "files"},
      {"sh -c {bash_-c_'npx_files'}", "files"},
      {"sh -c {cd_/home/ann_&&_npx_files}", "sh"},
      {"bash -c {npx_files;_echo_secret}", "bash"},
      {"bash -c {npx_files_|_tee_/home/ann/log}", "bash"},
      {"sh -c {npx_$(cat_/home/ann/token)}", "sh"},
      {"sh -c {npx_`cat_token`}", "sh"},
      {"sh -c {npx_files_\"unfinished}", "sh"},
      {"sh -c {$SECRET_x}", "sh"},
      {"sh -c {}", "sh"},
      {"sh -c", "sh"},
      {"bash run.sh", "bash"},
  };
  expect_names(kCases);
}

TEST(LaunchName, OfAnAddress) {
  constexpr Case kCases[] = {
      {"mcp-remote https://mcp.example.com/sse", "mcp.example.com"},
      {"npx -y mcp-remote@latest https://ann:secret@mcp.example.com:8443/ann/secret?key=secret#x", "mcp.example.com"},
      {"npx mcp-remote --header Authorization:secret https://mcp.example.com/mcp --allow-http", "mcp.example.com"},
      {"npx -p mcp-remote@1 mcp-remote https://mcp.example.com", "mcp.example.com"},
      {"mcp-remote http://localhost:3000/x", "localhost"},
      {"mcp-remote https://mcp.example.com\\@evil/", "mcp.example.com"},
      {"mcp-remote http://[::1]:3000/x", "mcp-remote"},
      {"mcp-remote example.com/secret", "mcp-remote"},
      {"mcp-remote file:///home/ann/secret", "mcp-remote"},
      {"mcp-remote https://ann:se/cret@mcp.example.com/", "mcp-remote"},
      {"mcp-remote https://ann/secret", "mcp-remote"},
      {"mcp-remote --weird https://mcp.example.com/", "mcp-remote"},
  };
  expect_names(kCases);
}

TEST(LaunchName, OfAnythingElseIsThatOfTheProgram) {
  constexpr Case kCases[] = {
      {"acme-server --key=secret /home/ann", "acme-server"},
      {"/home/ann/bin/acme-server ann secret", "acme-server"},
      {"./acme_server.py", "acme_server.py"},
      {"ssh ann@host npx files", "ssh"},
      {"sudo -u ann npx files", "sudo"},
      {"C:\\Users\\ann\\bin\\acme.exe", "acme.exe"},
      {"-", "_OTHER"},
      {"..", "_OTHER"},
      {"/", "_OTHER"},
      {"сервер", "_OTHER"},
  };
  expect_names(kCases);
}

// The next word may be the option's value, whatever it looks like.
TEST(LaunchName, AnOptionThatNobodyKnowsEndsTheSearch) {
  for (const char* launcher : {"npx", "bunx", "uvx", "node", "deno", "tsx", "python3", "ruby", "java", "docker",
                               "uv",  "pipx", "npm", "pnpm", "yarn", "bun", "sh",      "env",  "cmd",  "mcp-remote"}) {
    for (const char* rest : {"--token secret", "--token=secret x", "-Z secret x", "-", "", "--"}) {
      EXPECT_EQ(name_of(std::string(launcher) + " " + rest), launcher) << rest;
    }
  }
  constexpr Case kCases[] = {
      {"uv run --token secret x", "uv"},
      {"uv tool run --token secret x", "uv"},
      {"pipx run --token secret x", "pipx"},
      {"docker run --token secret x", "docker"},
      {"docker run -eKEY=secret x", "docker"},
      {"podman run --token secret x", "podman"},
      {"deno run --token secret x.ts", "deno"},
      {"bun run --token secret x", "bun"},
      {"tsx watch --token secret x", "tsx"},
      {"npm exec --token secret x", "npm"},
      {"pnpm dlx --token secret x", "pnpm"},
      {"yarn dlx --token secret x", "yarn"},
      {"npm exec -p secret x", "npm"},
      {"python -c secret", "python"},
      {"node -e secret", "node"},
      {"node --eval=secret", "node"},
      {"npx tsx --token secret x.ts", "tsx"},
      {"sh -c {npx_--token_secret_x}", "npx"},
      {"env KEY=secret npx --token x", "npx"},
      {"uv run python --token secret", "python"},
      {"npx -y mcp-remote", "mcp-remote"},
      {"node --import", "node"},
      {"npx -p", "npx"},
      {"uv --directory", "uv"},
  };
  expect_names(kCases);
}

TEST(LaunchName, NoFolderIsAPersons) {
  constexpr Case kCases[] = {
      {"node index.js", "node"},
      {"node ./dist/index.js", "node"},
      {"node .", "node"},
      {"node /home/ann", "node"},
      {"node /home/ann.js", "node"},
      {"node /home/ann/index.js", "node"},
      {"node /home/ann/dist/index.js", "node"},
      {"node /home/bob/src/index.js", "node"},
      {"node /home/x/../bob/index.js", "node"},
      {"node //home//bob/./index.js", "node"},
      {"node /Users/bob/index.js", "node"},
      {"node /users/Bob/index.js", "node"},
      {"node /root/index.js", "node"},
      {"node /root", "node"},
      {"node /var/home/bob/index.js", "node"},
      {"node /media/bob/index.js", "node"},
      {"node /mnt/c/Users/bob/index.js", "node"},
      {"node C:\\Users\\bob\\index.js", "node"},
      {"node \\Users\\bob\\dist\\index.js", "node"},
      {"node ../bob/index.js", "node"},
      {"node ../../index.js", "node"},
      {"node ~/index.js", "node"},
      {"node ~bob/index.js", "node"},
      {"node $HOME/index.js", "node"},
      {"node /home/ann/.config/index.js", "node"},
      {"node /home/bob/weather/index.js", "weather"},
      {"uv --directory /home/bob run server.py", "uv"},
      {"uv --directory .. run server.py", "uv"},
      {"bun --cwd /home/bob index.ts", "bun"},
      {"/home/bob", "_OTHER"},
      {"/home/bob/", "_OTHER"},
      {"/root", "_OTHER"},
  };
  expect_names(kCases);
  // Wherever the home is.
  const LaunchUser elsewhere{.home = "/srv/people/carl/", .logname = "", .user = ""};
  EXPECT_EQ(name_of("node /srv/people/carl/index.js", elsewhere), "node");
  EXPECT_EQ(name_of("node /srv/people/carl", elsewhere), "node");
  EXPECT_EQ(name_of("node /srv/people/carl/weather/index.js", elsewhere), "weather");
  EXPECT_EQ(name_of("node /srv/weather/index.js", {.home = "/", .logname = "", .user = ""}), "weather");
}

TEST(LaunchName, NoNameIsAPersons) {
  constexpr Case kCases[] = {
      {"ann", "_OTHER"},
      {"/opt/bin/Ann", "_OTHER"},
      {"node ann.js", "node"},
      {"node /srv/ann/index.js", "node"},
      {"node /srv/ANN/index.js", "node"},
      {"npx ann", "npx"},
      {"npx @ann/weather", "npx"},
      {"npx @acme/ann@1", "npx"},
      {"uvx ann==1", "uvx"},
      {"python -m ann", "python"},
      {"docker run ghcr.io/ann/ann:1", "docker"},
      {"mcp-remote https://ann/x", "mcp-remote"},
      {"sh -c {exec_ann}", "sh"},
      {"uv run ann", "uv"},
      {"node ann@example.com.js", "node"},
  };
  expect_names(kCases);
  EXPECT_EQ(name_of("npx carl", {.home = "", .logname = "bob", .user = "carl"}), "npx");
  EXPECT_EQ(name_of("npx carl", {.home = "/Users/carl", .logname = "", .user = ""}), "npx");
  // A launcher is nobody, whatever its user is called.
  EXPECT_EQ(name_of("node index.js", {.home = "/home/node", .logname = "node", .user = ""}), "node");
}

TEST(LaunchName, NoPartOfAPathOrARepositoryIsTakenForAPackage) {
  for (const char* package : {"/home/ann/x",
                              "./x",
                              "../x",
                              "~/x",
                              ".",
                              "..",
                              "bob/secret",
                              "github:bob/secret",
                              "gist:secret",
                              "git@github.com:bob/secret.git",
                              "git+ssh://git@host/bob/secret",
                              "https://user:secret@host/x.tgz",
                              "file:/home/bob/x",
                              "@bob/secret/more",
                              "C:\\Users\\bob\\x",
                              "x@git+https://secret@host/x",
                              "@",
                              "@bob",
                              "@/x",
                              "$PACKAGE",
                              "%41",
                              "secret\x01",
                              "",
                              "-x"}) {
    for (const std::string launcher : {"npx --", "bunx --", "uvx --", "pipx run --", "npm exec --"}) {
      const std::string program = launcher.substr(0, launcher.find(' '));
      EXPECT_EQ(name_of(launcher + " " + package), program) << package;
    }
  }
  EXPECT_EQ(launch_name(std::vector<std::string>{"uvx", "weather @ git+https://secret@host/x"}, kAnn), "uvx");
  EXPECT_EQ(launch_name(std::vector<std::string>{"uvx", "--from", "weather @ file:///home/bob", "w"}, kAnn), "w");
}

TEST(LaunchName, NoWordThatIsNoPathIsTakenForOne) {
  for (const char* word :
       {"KEY=abc/secret", "--key=abc/secret", "data:text/javascript;base64,abc/secret", "x?k=a/secret", "x#a/secret",
        "bob@host:/srv/secret", "node:secret", "a,b/secret", "`x`/secret"}) {
    for (const std::string launcher : {"node -- ", "python -- ", "ruby -- ", "bun -- ", "java -jar ", "deno run -- "}) {
      const std::string program = launcher.substr(0, launcher.find(' '));
      EXPECT_EQ(name_of(launcher + word), program) << word;
    }
  }
  for (const char* word : {"--key=abc/secret", "https://host/secret", "https://user:secret@host", "x?k=a/secret"}) {
    EXPECT_EQ(name_of(word), "_OTHER") << word;
  }
  EXPECT_EQ(name_of("KEY=abc/secret"), "_OTHER");
  EXPECT_EQ(name_of("KEY=abc/secret acme-server"), "acme-server");
  EXPECT_EQ(launch_name(std::vector<std::string>{"npx -y /srv/secret"}, kAnn), "_OTHER");
  EXPECT_EQ(launch_name(std::vector<std::string>{"cmd", "/c", "acme-server abc/secret"}, kAnn), "cmd");
}

TEST(LaunchName, IsShortAndPlainWhateverIsGiven) {
  EXPECT_EQ(name_of("node " + std::string(64, 'x') + ".js"), std::string(64, 'x'));
  EXPECT_EQ(name_of("node " + std::string(65, 'x') + ".js"), "node");
  EXPECT_EQ(name_of("node" + std::string(65, '1')), "_OTHER");
  EXPECT_EQ(name_of("npx \xff\xfe"), "npx");
  EXPECT_EQ(name_of("\xff\xfe x"), "_OTHER");
  EXPECT_EQ(name_of(" npx files"), "_OTHER");
  EXPECT_EQ(name_of("npx  files"), "npx");
  for (const char* word : {"env", "npx", "exec", "-y", "--", "KEY=secret", "", "x"}) {
    std::vector<std::string> many(10'000, word);
    for (const char* first : {"npx", "env", "uv", "x"}) {
      many.front() = first;
      EXPECT_LE(launch_name(many, kAnn).size(), 64u);
    }
  }
  std::string nested = "npx files";
  for (int i = 0; i < 12; ++i) nested = "sh -c \"" + nested + "\"";
  EXPECT_LE(launch_name(std::vector<std::string>{"sh", "-c", nested}, kAnn).size(), 64u);
}

// Every name is of the form, and no secret is in it, wherever in a command of known words a secret stands behind an
// option, in a path, in an address or in an assignment.
TEST(LaunchName, RandomCommandsTellNoSecret) {
  constexpr const char* kWords[] = {"npx",
                                    "npm",
                                    "exec",
                                    "uvx",
                                    "uv",
                                    "run",
                                    "tool",
                                    "node",
                                    "python3",
                                    "docker",
                                    "sh",
                                    "env",
                                    "mcp-remote",
                                    "bun",
                                    "deno",
                                    "tsx",
                                    "java",
                                    "-y",
                                    "-c",
                                    "-p",
                                    "-m",
                                    "-jar",
                                    "--",
                                    "-e",
                                    "--from",
                                    "--directory",
                                    "-i",
                                    "--rm",
                                    "index.js",
                                    "files@1",
                                    "--unknown",
                                    "SECRET=s3cret/s3cret",
                                    "--token=s3cret",
                                    "https://s3cret:s3cret@host/s3cret?s3cret",
                                    "/home/s3cret",
                                    "/home/s3cret/index.js",
                                    "git+https://s3cret@host/s3cret",
                                    "s3cret@host:/s3cret",
                                    "@acme/files"};
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> command;
    for (std::size_t count = 1 + random() % 7; count > 0; --count) {
      command.emplace_back(kWords[random() % std::size(kWords)]);
    }
    const std::string name = launch_name(command, kAnn);
    std::string line;
    for (const std::string& word : command) line += word + " ";
    ASSERT_EQ(name.find("s3cret"), std::string::npos) << line;
    ASSERT_FALSE(name.empty() || name.size() > 64) << line;
  }
}

TEST(Launchers, AreFoundByTheirProgramsNames) {
  EXPECT_EQ(find_launcher("python3.12"), find_launcher("python"));
  EXPECT_EQ(find_launcher("NPX"), nullptr);
  EXPECT_EQ(find_launcher("uvx"), find_launcher("uv tool run"));
  EXPECT_EQ(find_launcher("podman"), find_launcher("docker"));
  EXPECT_EQ(find_launcher(""), nullptr);
  EXPECT_EQ(find_launcher("1.2"), nullptr);
}

}  // namespace
}  // namespace mcptrace::app
