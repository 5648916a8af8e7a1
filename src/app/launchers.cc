#include "app/launchers.h"

#include <algorithm>
#include <utility>

namespace mcptrace::app {
namespace {

using enum Launches;

constexpr std::string_view kNpmFlags =
    "-y --yes --no --no-install -q --quiet -s --silent -d --verbose -f --force --offline --prefer-offline "
    "--prefer-online --ignore-existing --ignore-scripts --legacy-peer-deps --no-audit --no-fund --no-progress "
    "--no-update-notifier";
constexpr std::string_view kNpmValues =
    "--registry --cache --userconfig --globalconfig --prefix -C --loglevel --node-options -w --workspace "
    "--script-shell --tag";

constexpr std::string_view kPnpmFlags = "-s --silent";
constexpr std::string_view kPnpmValues = "--allow-build --reporter --loglevel -C --dir";

constexpr std::string_view kBunFlags =
    "-b --bun --watch --hot --smol --silent --no-install -i --if-present --no-clear-screen --prefer-offline "
    "--prefer-latest --inspect --inspect-brk --inspect-wait";
constexpr std::string_view kBunValues = "-r --preload --require --import --env-file --conditions -F --filter";

constexpr std::string_view kDenoFlags =
    "-A --allow-all --allow-read --allow-write --allow-net --allow-env --allow-run --allow-sys --allow-ffi "
    "--allow-import --allow-scripts --deny-read --deny-write --deny-net --deny-env --deny-run --deny-sys --deny-ffi "
    "--deny-import -R -W -N -E -S -R=* -W=* -N=* -E=* -S=* --no-prompt --no-check --check --unstable --unstable-* -q "
    "--quiet --node-modules-dir "
    "--no-lock --frozen --cached-only -r --reload --no-remote --no-npm --no-config --watch --watch-hmr "
    "--no-clear-screen --env --env-file --inspect --inspect-brk --inspect-wait --vendor --v8-flags";
constexpr std::string_view kDenoValues =
    "--import-map -c --config --location --seed --cert --ext -L --log-level --preload";

constexpr std::string_view kUvFlags =
    "-q --quiet -v --verbose --offline -n --no-cache --no-config --no-progress --native-tls --preview --isolated "
    "--active --frozen --locked --no-sync --no-project --exact --no-editable --dev --no-dev --only-dev --all-extras "
    "--all-groups --all-packages --no-default-groups --no-env-file --no-index --no-sources --no-build --no-binary "
    "--no-build-isolation --refresh --reinstall -U --upgrade --compile-bytecode --managed-python "
    "--no-managed-python --no-python-downloads -s --script --gui-script";
constexpr std::string_view kUvValues =
    "--project -p --python --python-platform --python-preference -w --with --with-editable --with-requirements "
    "--env-file --extra --no-extra --group --no-group --only-group --package --index --default-index -i --index-url "
    "--extra-index-url -f --find-links --index-strategy --keyring-provider --allow-insecure-host --resolution "
    "--prerelease --fork-strategy --exclude-newer --link-mode --cache-dir --config-file --color --preview-features "
    "-P --upgrade-package --refresh-package --reinstall-package --no-build-package --no-binary-package "
    "--no-build-isolation-package -C --config-setting -c --constraints -b --build-constraints --overrides "
    "--torch-backend";

// And tsx's own.
constexpr std::string_view kNodeFlags =
    "--no-warnings --no-deprecation --trace-warnings --trace-deprecation --trace-uncaught --enable-source-maps "
    "--preserve-symlinks --preserve-symlinks-main --experimental-strip-types --experimental-transform-types "
    "--experimental-vm-modules --experimental-modules --experimental-json-modules --experimental-fetch "
    "--experimental-sqlite --experimental-wasm-modules --no-experimental* --inspect --inspect-brk --inspect-wait "
    "--watch --watch-preserve-output --use-system-ca --use-openssl-ca --use-bundled-ca --expose-gc "
    "--max-old-space-size --max-semi-space-size --stack-size --no-cache --clear-screen";
constexpr std::string_view kNodeValues =
    "-r --require --import --loader --experimental-loader -C --conditions --env-file --env-file-if-exists --title "
    "--unhandled-rejections --disable-warning --dns-result-order --watch-path --icu-data-dir --openssl-config "
    "--tsconfig --include --exclude --ignore";

constexpr std::string_view kDockerFlags =
    "-i --interactive -t --tty -it -ti -d --detach -dit --rm --init --privileged --read-only -P --publish-all "
    "--no-healthcheck --oom-kill-disable -q --quiet --sig-proxy --disable-content-trust --replace --rmi "
    "--tls-verify --no-hosts --http-proxy --read-only-tmpfs";
constexpr std::string_view kDockerValues =
    "-e --env --env-file -v --volume --mount --tmpfs --volumes-from --volume-driver --name --network --net "
    "--network-alias --link -p --publish --expose --ip --ip6 --mac-address --add-host --dns --dns-search --dns-option "
    "-h --hostname --domainname -w --workdir -u --user --userns --group-add --entrypoint -l --label --label-file "
    "--annotation --platform --pull --restart --cpus -c --cpu-shares --cpuset-cpus --cpuset-mems -m --memory "
    "--memory-reservation --memory-swap --shm-size --pids-limit --gpus --device --ulimit --sysctl --pid --ipc --uts "
    "--cgroupns --cgroup-parent --cap-add --cap-drop --security-opt --log-driver --log-opt --stop-timeout "
    "--stop-signal --runtime --cidfile --detach-keys -a --attach --storage-opt --isolation --health-cmd "
    "--health-interval --health-retries --health-timeout --health-start-period --oom-score-adj --arch --os "
    "--variant --authfile --creds --secret --pod --tz --umask";

constexpr Launcher kLaunchers[] = {
    {"npx", kPackage, kNpmFlags, kNpmValues, {{{"-p --package", kPackage}, {"-c --call", kLine}}}},
    {"npm", kNothing, kNpmFlags, kNpmValues, {{{"--package", kPackage}}}},
    {"npm exec", kPackage, kNpmFlags, kNpmValues, {{{"--package", kPackage}, {"-c --call", kLine}}}},
    {"pnpm", kNothing, kPnpmFlags, kPnpmValues, {{{"--package", kPackage}}}},
    {"pnpm dlx", kPackage, kPnpmFlags, kPnpmValues, {{{"--package", kPackage}}}},
    {"yarn", kNothing, "-s --silent", "--cwd"},
    {"yarn dlx", kPackage, "-q --quiet", "", {{{"-p --package", kPackage}}}},
    {"bun", kScript, kBunFlags, kBunValues, {}, "--cwd"},
    {"bun run", kScript, kBunFlags, kBunValues, {}, "--cwd"},
    {"bun x", kPackage, "-b --bun --silent --verbose --no-install", "", {{{"-p --package", kPackage}}}},
    {"deno", kNothing, "-q --quiet", ""},
    {"deno run", kScript, kDenoFlags, kDenoValues},
    {"uv", kNothing, kUvFlags, kUvValues, {}, "--directory"},
    {"uv run", kProgram, kUvFlags, kUvValues, {{{"-m --module", kModule}}}, "--directory"},
    {"uv tool", kNothing, kUvFlags, kUvValues, {}, "--directory"},
    {"uv tool run", kPackage, kUvFlags, kUvValues, {{{"--from", kPackage}}}, "--directory"},
    {"pipx", kNothing, "-q --quiet -v --verbose", ""},
    {"pipx run",
     kPackage,
     "-q --quiet -v --verbose --no-cache --pypackages --system-site-packages --fetch-missing-python",
     "--python --pip-args -i --index-url",
     {{{"--spec", kPackage}}}},
    {"python",
     kScript,
     "-u -B -E -I -P -O -OO -q -s -S -v -b -d -x -X* -W*",
     "-X -W --check-hash-based-pycs",
     {{{"-m", kModule}}}},
    {"node", kScript, kNodeFlags, kNodeValues},
    {"tsx", kScript, kNodeFlags, kNodeValues},
    {"tsx watch", kScript, kNodeFlags, kNodeValues},
    {"ruby", kScript, "-w -W* -v -I* --yjit --jit --disable --enable --disable-* --enable-*", "-r -I -E"},
    {"java",
     kNothing,
     "-D* -X* -ea -ea:* -da -da:* -esa -dsa -server -client -javaagent:* -agentlib:* -agentpath:* -verbose -verbose:* "
     "-showversion "
     "--show-version --enable-preview",
     "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --limit-modules --add-opens "
     "--add-exports --add-reads",
     {{{"-jar", kScript}}}},
    {"docker", kNothing, "-D --debug --tls --tlsverify --remote",
     "-c --context --connection --url -H --host -l --log-level --config --root --runroot"},
    {"docker run", kImage, kDockerFlags, kDockerValues},
    {"sh",
     kNothing,
     "-l -i -e -u -x -f --login --norc --noprofile --posix",
     "-o",
     {{{"-c -lc -ic -ec -xc -uc -lic -ilc -euc -exc -euxc", kLine}}}},
    {"cmd", kCommand, "/c /C /d /D /s /S /q /Q", ""},
    {"env",
     kCommand,
     "- -i --ignore-environment -v --debug",
     "-u --unset",
     {{{"-S --split-string", kLine}}},
     "-C --chdir"},
    {"exec", kCommand, "-c -l", "-a"},
    {"mcp-remote", kUrl, "--allow-http --debug", "--header"},
};

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"npm x", "npm exec"}, {"pnpx", "pnpm dlx"}, {"bunx", "bun x"}, {"uvx", "uv tool run"}, {"nodejs", "node"},
    {"podman", "docker"},  {"bash", "sh"},       {"dash", "sh"},    {"ash", "sh"},          {"zsh", "sh"},
};

const Launcher* find(std::string_view name) {
  const auto* alias = std::ranges::find(kAliases, name, &std::pair<std::string_view, std::string_view>::first);
  if (alias != std::end(kAliases)) name = alias->second;
  const auto* row = std::ranges::find(kLaunchers, name, &Launcher::name);
  return row == std::end(kLaunchers) ? nullptr : row;
}

}  // namespace

const Launcher* find_launcher(std::string_view name) {
  if (const Launcher* exact = find(name)) return exact;
  for (const std::string_view ending : {".exe", ".cmd"}) {
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  }
  while (!name.empty() && (name.back() == '.' || (name.back() >= '0' && name.back() <= '9'))) name.remove_suffix(1);
  return find(name);  // python3.12 is python
}

}  // namespace mcptrace::app
