#include "app/producer.h"

#include "app/secret.h"

namespace mcptrace::app {

std::string print_of(const HashKey& key, std::string_view domain, std::span<const std::string> fields) {
  KeyedHash hash(key, domain);
  for (const std::string& field : fields) hash.update_field(field);
  return hex64(hash.finish64());
}

std::string not_traced(const Error& why) { return "nothing is traced, traffic is not affected: " + why.message; }

HashKey installation_key(const std::string& state_directory, Random& random, Log& log) {
  const Result<Secret> secret = load_or_make_secret(state_directory, random);
  if (secret) return HashKey(*secret);
  const std::string& why = secret.error().message;
  if (secret.error().code == Errc::kCorrupt || secret.error().code == Errc::kInvalidArgument) {
    log.once(LogReason::kSecret,
             "fingerprints and session ids will not match those of other runs, until this is mended: " + why);
  } else {  // nor will there be a spool
    log.once(LogReason::kSpoolWrite, "telemetry is being lost, traffic is not affected: " + why);
  }
  Secret own;
  random.fill(own);
  return HashKey(own);
}

observe::ObserverOptions observer_options(const TraceOptions& options, const std::string& state_directory,
                                          std::string prefix, Random& random) {
  observe::ObserverOptions observer;
  observe::TracerOptions& tracer = observer.tracer;
  tracer.naming = options.naming;
  tracer.stdio.service_name = options.service_name;
  tracer.instance_id = random.trace_id().hex();
  tracer.resource_attributes = options.resource_attributes;
  observer.spool.directory = state_directory + "/spool";
  observer.spool.name_prefix = std::move(prefix);
  if (const auto size = options.installation.flat.spool_size) observer.spool.total_bytes = *size;
  return observer;
}

}  // namespace mcptrace::app
