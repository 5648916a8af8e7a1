#include "app/follow_session.h"

#include <algorithm>
#include <map>

#include "app/spool_watch.h"
#include "query/export.h"
#include "query/follow.h"

namespace mcptrace::app {
namespace {

struct Followed {
  std::uint32_t number;
  spool::FileReader reader;
  bool gone = false;  // unlocked, and read to its end
};

class Follow {
 public:
  Follow(World& world, std::string directory, const query::Found& found, bool json)
      : world_(world),
        directory_(std::move(directory)),
        paths_(found.paths),
        json_(json),
        follower_(found.session->key, found.traces, [this](const query::TraceSpan& span) { show(span); }) {}

  int run() {
    SpoolWatch watch(directory_, world_.stdout_fd);
    for (bool first = true;; first = false) {
      if (const auto read = visit(first); !read) return fail(world_, read.error());
      const int status = print(world_, std::exchange(text_, {}));
      if (status != kDone) return status;
      if (follower_.over()) break;
      const Wake wake = watch.wait();
      if (wake == Wake::kOutputGone) return kDone;
      if (wake == Wake::kInterrupted) break;
    }
    say_skips(world_, skips_);
    const std::optional<query::Session> session = std::move(follower_).finish(world_.clock.wall());
    if (!session) return fail(world_, {Errc::kNotFound, "what became of the session is not known"});
    return print(world_,
                 json_ ? query::session_json(*session) : "\n" + query::session_summary(*session, text_options(world_)));
  }

 private:
  void show(const query::TraceSpan& span) {
    text_ += json_ ? query::span_json(span) : query::span_line(span, text_options(world_));
  }

  // Reads what came to the files of the session, to those that are held, and to those that were made since we began.
  Result<> visit(bool first) {
    MCPTRACE_TRY(const std::vector<spool::FileInfo> files, spool::list_files(directory_));
    for (const spool::FileInfo& file : files) {
      auto it = files_.find(file.path);
      if (it == files_.end()) {
        const std::uint32_t number = static_cast<std::uint32_t>(files_.size());
        it = files_.try_emplace(file.path, Followed{number, spool::FileReader(file.path)}).first;
        it->second.gone = first && !file.locked && std::ranges::find(paths_, file.path) == paths_.end();
      }
      Followed& followed = it->second;
      if (followed.gone) continue;
      followed.gone = !file.locked;
      follower_.begin_file(followed.number, file.locked, file.modified);
      while (const auto record = followed.reader.next()) follower_.add(*record);
      skips_.note(file.path, followed.reader);
    }
    // Who deleted a file has let go of what was open in it.
    for (auto& [path, followed] : files_) {
      if (followed.gone || std::ranges::find(files, path, &spool::FileInfo::path) != files.end()) continue;
      followed.gone = true;
      follower_.begin_file(followed.number, false, {});
    }
    return {};
  }

  World& world_;
  const std::string directory_;
  const std::vector<std::string> paths_;
  const bool json_;
  std::string text_;
  std::map<std::string, Followed> files_;
  query::Skips skips_;
  query::Follower follower_;
};

}  // namespace

int follow_session(World& world, const std::string& directory, const query::Found& found, bool json) {
  return Follow(world, directory, found, json).run();
}

}  // namespace mcptrace::app
