// The fields of OTLP's messages, each once: its number, its name in JSON, and what holds it here. Private to this
// folder: the decoder and the writers go by it. Values and their keys are not among them: each of those is written in
// its own way.
//
//   fields(link, [](std::uint32_t number, std::string_view name, auto&& held) { … });
//
// Source: opentelemetry-proto 1.5, trace.proto, resource.proto, common.proto.
#pragma once

#include <concepts>
#include <type_traits>

#include "otlp/decode.h"

namespace mcptrace::otlp {

// Numbers of 32 bits: written as a varint, unless they are one of these.
template <class Number>
struct Fixed32 {
  Number& number;
};
// In JSON a signed one.
template <class Number>
struct Enumeration {
  Number& number;
};
// The message Status.
template <class SpanType>
struct StatusOf {
  SpanType& span;
};

template <class Message, class Named>
concept Is = std::same_as<std::remove_const_t<Message>, Named>;

void fields(Is<Event> auto& event, auto&& visit) {
  visit(1, "timeUnixNano", event.at);
  visit(2, "name", event.name);
  visit(3, "attributes", event.attributes);
  visit(4, "droppedAttributesCount", event.dropped_attributes);
}

void fields(Is<Link> auto& link, auto&& visit) {
  visit(1, "traceId", link.trace_id);
  visit(2, "spanId", link.span_id);
  visit(3, "traceState", link.trace_state);
  visit(4, "attributes", link.attributes);
  visit(5, "droppedAttributesCount", link.dropped_attributes);
  visit(6, "flags", Fixed32{link.flags});
}

template <class SpanType>
void fields(StatusOf<SpanType> status, auto&& visit) {
  visit(2, "message", status.span.status_message);
  visit(3, "code", Enumeration{status.span.status});
}

void fields(Is<Span> auto& span, auto&& visit) {
  visit(1, "traceId", span.trace_id);
  visit(2, "spanId", span.span_id);
  visit(3, "traceState", span.trace_state);
  visit(4, "parentSpanId", span.parent_id);
  visit(5, "name", span.name);
  visit(6, "kind", Enumeration{span.kind});
  visit(7, "startTimeUnixNano", span.start);
  visit(8, "endTimeUnixNano", span.end);
  visit(9, "attributes", span.attributes);
  visit(10, "droppedAttributesCount", span.dropped_attributes);
  visit(11, "events", span.events);
  visit(12, "droppedEventsCount", span.dropped_events);
  visit(13, "links", span.links);
  visit(14, "droppedLinksCount", span.dropped_links);
  visit(15, "status", StatusOf{span});
  visit(16, "flags", Fixed32{span.flags});
}

void fields(Is<Resource> auto& resource, auto&& visit) { visit(1, "attributes", resource.attributes); }

void fields(Is<Scope> auto& scope, auto&& visit) {
  visit(1, "name", scope.name);
  visit(2, "version", scope.version);
  visit(3, "attributes", scope.attributes);
}

void fields(Is<ScopeSpans> auto& spans, auto&& visit) {
  visit(1, "scope", spans.scope);
  visit(2, "spans", spans.spans);
  visit(3, "schemaUrl", spans.schema_url);
}

void fields(Is<ResourceSpans> auto& spans, auto&& visit) {
  visit(1, "resource", spans.resource);
  visit(2, "scopeSpans", spans.scopes);
  visit(3, "schemaUrl", spans.schema_url);
}

void fields(Is<TracesData> auto& traces, auto&& visit) { visit(1, "resourceSpans", traces.resources); }

}  // namespace mcptrace::otlp
