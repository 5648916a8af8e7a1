#include "observe/judge.h"

namespace mcptrace::observe {
namespace {

using mcp::CallKind;
using mcp::Finding;
using mcp::finding_bit;
using mcp::HttpEnd;
using mcp::HttpFact;
using mcp::Message;
using mcp::Method;
using mcp::OpenCall;
using mcp::Text;
using trace::CallEnd;
using trace::Outcome;

std::string_view error_text(mcp::HttpError error) {
  switch (error) {
    case mcp::HttpError::kRefused:
      return "refused";
    case mcp::HttpError::kDns:
      return "dns";
    case mcp::HttpError::kTls:
      return "tls";
    case mcp::HttpError::kTimeout:
      return "timeout";
    case mcp::HttpError::kReset:
      return "reset";
    case mcp::HttpError::kTruncated:
      return "truncated";
    case mcp::HttpError::kBadHead:
      return "bad_head";
    case mcp::HttpError::kBadFraming:
      return "bad_framing";
    case mcp::HttpError::kProxy:
      return "proxy";
    case mcp::HttpError::kOther:
      return "_OTHER";
    case mcp::HttpError::kNone:
    case mcp::HttpError::kClosed:
      break;
  }
  return "closed";
}

// Of an answer that is whole, and has none to the request.
std::string_view body_text(mcp::AnswerBody body) {
  switch (body) {
    case mcp::AnswerBody::kEmpty:
      return "empty";
    case mcp::AnswerBody::kNotJson:
      return "not_json";
    case mcp::AnswerBody::kBrokenJson:
      return "truncated";
    case mcp::AnswerBody::kReadable:
      break;
  }
  return "no_answer";
}

CallEnd failed(std::string_view error_type) {
  CallEnd end = ended(Outcome::kTransportError);
  end.error_type = error_type;
  return end;
}

std::string_view problem_text(mcp::BodyProblem problem) {
  if (problem == mcp::BodyProblem::kNoRoom) return "no_room";
  return problem == mcp::BodyProblem::kTooLarge ? "too_large" : "encoding";
}

bool is_whole(const HttpFact& http) { return http.end == HttpEnd::kComplete || http.end == HttpEnd::kClientLeft; }

// What the answer's head alone says, for whatever it answers; nothing where the body matters.
std::optional<CallEnd> end_by_status(const HttpFact& http) {
  // Whatever the server said to a client that had left before: nobody heard it.
  if (http.end == HttpEnd::kClientClosed && (http.answered == Nanos{} || http.left < http.answered))
    return std::nullopt;
  if (http.end == HttpEnd::kFailed) {
    CallEnd end = failed(error_text(http.error));
    end.reason = http.reason;
    return end;
  }
  if ((http.status == 401 || http.status == 403) && http.auth != mcp::AuthScheme::kNone) {
    CallEnd end = ended(Outcome::kAuthRequired);
    end.auth = http.auth;
    return end;
  }
  if (http.has(mcp::kRedirects)) return ended(Outcome::kRedirected);
  if (http.status < 300) return std::nullopt;
  if (http.problem != mcp::BodyProblem::kNone) return unobserved(problem_text(http.problem));
  return failed("status");
}

// Of an exchange that had neither request nor notification in it.
CallEnd end_of_http(const HttpExchange& exchange, const HttpFact& http) {
  if (auto end = end_by_status(http)) {
    end->status_unset = http.end != HttpEnd::kFailed && http.status < 500;
    if (end->outcome == Outcome::kTransportError && http.status >= 300 && http.status < 400) return {};
    return *end;
  }
  // What it was could not be read.
  if (http.problem != mcp::BodyProblem::kNone) return unobserved(problem_text(http.problem));
  if (http.end == HttpEnd::kServerClosed) return failed(error_text(http.error));
  if (exchange.has(mcp::kStreamed) || is_whole(http)) return {};
  if (http.end == HttpEnd::kStopped) return unobserved("stopped");
  CallEnd end = abandoned("client_closed");
  end.status_unset = true;
  return end;
}

// A batch, once it is agreed on a version that has none.
bool is_dropped_batch(const Session& session, const Message& message) {
  if (!message.has(mcp::kInBatch)) return false;
  const std::string_view version = session.text.version;
  return session.is_modern() || (version.starts_with("20") && version >= "2025-06-18");
}

mcp::Findings findings_of_any(const Session& session, const Message& message) {
  if ((message.flags & (mcp::kInvalidUtf8 | mcp::kInBatch)) == 0) return 0;
  mcp::Findings findings = 0;
  if (message.has(mcp::kInvalidUtf8)) findings |= finding_bit(Finding::kInvalidUtf8);
  if (is_dropped_batch(session, message)) findings |= finding_bit(Finding::kDeprecated);
  return findings;
}

}  // namespace

mcp::Findings findings_of(const Session& session, const Message& message) {
  mcp::Findings findings = findings_of_any(session, message);
  const bool asks = message.kind == mcp::MessageKind::kRequest;
  const bool modern = message.has(mcp::kModern) || session.is_modern();
  if (message.id.type == mcp::IdType::kNull) findings |= finding_bit(Finding::kNullId);
  if (modern && is_dropped(message.method)) findings |= finding_bit(Finding::kDeprecated);
  if (asks && message.has(mcp::kModern) && !message.has(mcp::kHasEnvelope) && message.method != Method::kInitialize) {
    findings |= finding_bit(Finding::kMissingMeta);
  }
  return findings;
}

mcp::Findings findings_of_answer(const Session& session, const OpenCall& call, const Message& answer) {
  mcp::Findings findings = findings_of_any(session, answer);
  if (!answer.has(mcp::kJsonrpc2)) findings |= finding_bit(Finding::kBadJsonrpc);
  if (call.direction != mcp::Direction::kClientToServer || answer.kind != mcp::MessageKind::kResult) return findings;
  const bool odd = answer.result_type == mcp::ResultType::kAbsent || answer.result_type == mcp::ResultType::kOther;
  if (odd && (call.flags & mcp::kModern) != 0 && call.method != Method::kInitialize) {
    findings |= finding_bit(Finding::kBadResultType);
  }
  return findings;
}

CallEnd ended(Outcome outcome) {
  CallEnd end;
  end.outcome = outcome;
  return end;
}

CallEnd unobserved(std::string_view why) {
  CallEnd end = ended(Outcome::kUnobserved);
  end.unobserved = why;
  return end;
}

CallEnd abandoned(std::string_view error_type) {
  CallEnd end = ended(Outcome::kAbandoned);
  end.error_type = error_type;
  return end;
}

CallEnd judge_answer(Method asked, const Message& answer) {
  CallEnd end;
  end.answer_bytes = answer.bytes;
  if (answer.kind == mcp::MessageKind::kError) {
    end.outcome = Outcome::kRpcError;
    end.has_code = answer.has(mcp::kHasErrorCode);
    end.code = answer.error_code;
    end.error_print = answer.error_print;
  } else if (answer.has(mcp::kIsError) && (asked == Method::kToolsCall || asked == Method::kTasksResult)) {
    end.outcome = Outcome::kToolError;
  } else {
    if (answer.result_type == mcp::ResultType::kInputRequired) end.outcome = Outcome::kInputRequired;
    if (asked == Method::kInitialize) end.negotiated = answer[Text::kProtocolVersion];
  }
  return end;
}

bool client_left(const HttpFact& http) {
  return http.end == HttpEnd::kClientClosed || http.end == HttpEnd::kClientLeft;
}

std::optional<CallEnd> judge_exchange(const OpenCall& call, const HttpExchange& exchange, const HttpFact& http,
                                      const HttpExchanges& exchanges, bool dropped) {
  if (call.kind == CallKind::kHttp) return end_of_http(exchange, http);
  if (auto end = end_by_status(http)) {
    const bool falls_back = call.method == Method::kInitialize && (http.status == 404 || http.status == 405);
    const bool answered = http.end != HttpEnd::kFailed;
    // By closing the connection a server refuses it, too.
    const bool closed = http.error == mcp::HttpError::kClosed || http.error == mcp::HttpError::kReset;
    end->status_unset = call.method == Method::kServerDiscover ? answered || closed : answered && falls_back;
    return end;
  }
  if (call.is_listen()) return CallEnd{};
  if (http.end == HttpEnd::kStopped) return unobserved("stopped");
  const bool by_client = client_left(http);
  if (call.kind == CallKind::kNotification) {
    if (is_whole(http)) return CallEnd{};
    return by_client ? abandoned("client_closed") : failed(error_text(http.error));
  }
  if (http.problem != mcp::BodyProblem::kNone) return unobserved(problem_text(http.problem));
  if (exchange.has(mcp::kLost) || dropped) return unobserved("dropped");
  if (exchanges.is_sse(exchange.scope)) return std::nullopt;  // the answer comes on that stream
  const bool modern = (call.flags & mcp::kModern) != 0;
  // In the modern era the answer comes there or nowhere.
  if (is_whole(http) && http.status == 202 && !modern) {
    if (exchanges.has_stream(exchange.scope)) return std::nullopt;  // it may come there
    return unobserved("other_replica");
  }
  if (by_client && modern) return ended(Outcome::kCancelled);
  if (exchange.has(mcp::kHasEvents)) return std::nullopt;  // it may be resumed
  if (by_client) return abandoned("client_closed");
  CallEnd end = failed(is_whole(http) ? body_text(http.body) : error_text(http.error));
  end.status_unset = call.method == Method::kServerDiscover;
  return end;
}

}  // namespace mcptrace::observe
