package httpserver_test

import (
	"encoding/json"
	"maps"
	"strings"

	"galaxy/rtmanager/internal/api"
)

const (
	bodyPut  = "/v1/runtimes/g"
	bodyPost = "/v1/runtimes/g/status"
)

// invalidJSON returns bodies that are not one valid JSON object, for both routes of
// records.
func invalidJSON() []invalidRequest {
	var rows []invalidRequest
	for _, bad := range []struct {
		name, body string
		status     int
		at         string
	}{
		{"empty", "", 400, "body"},
		{"blank", " \r\n\t", 400, "body"},
		{"words", "not json", 400, "body"},
		{"YAML", "status: running", 400, "body"},
		{"XML", "<record/>", 400, "body"},
		{"single quotes", "{'status':'running'}", 400, "body"},
		{"a comment", `{"status":"running"} // ok`, 400, "body"},
		{"byte order mark", "\ufeff{}", 400, "body"},
		{"truncated", runningRecord[:60], 400, "body"},
		{"an open brace", "{", 400, "body"},
		{"an open string", `{"status":"runn`, 400, "body"},
		{"comma at the end", `{"reason":"x",}`, 400, "body"},
		{"no comma", `{"reason":"x" "to":"y"}`, 400, "body"},
		{"no colon", `{"reason" "x"}`, 400, "body"},
		{"trailing bracket", `{}]`, 400, "body"},
		{"trailing object", `{} {}`, 400, "body"},
		{"trailing word", `{} true`, 400, "body"},
		{"trailing NUL", "{}\x00", 400, "body"},
		{"not UTF-8", "{\"region\":\"\xff\"}", 400, "body"},
		{"Latin-1", "{\"region\":\"J\xf6rg\"}", 400, "body"},
		{"raw control character", "{\"region\":\"a\nb\"}", 400, "body"},
		{"lone high surrogate", `{"region":"\ud83d"}`, 400, "body"},
		{"lone low surrogate", `{"region":"\ude00 x"}`, 400, "body"},
		{"surrogates in the wrong order", `{"region":"\ude00\ud83d"}`, 400, "body"},
		{"lone surrogate in a name", `{"\ud83d":"x"}`, 400, "body"},
		{"bad escape", `{"region":"\x41"}`, 400, "body"},
		{"NaN", `{"generation":NaN}`, 400, "body"},
		{"Infinity", `{"generation":-Infinity}`, 400, "body"},
		{"hexadecimal", `{"generation":0x10}`, 400, "body"},
		{"leading zero", `{"generation":01}`, 400, "body"},
		{"a member twice", `{"reason":"a","reason":"a"}`, 400, "body"},
		{"a member twice, once escaped", `{"node":"a","n\u006fde":"b"}`, 400, "body"},
		{"a nested member twice", `{"x":{"a":1,"a":2}}`, 400, "body"},
		{"10 000 arrays deep", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), 400, "body"},
		{"10 000 objects deep", strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), 400, "body"},
		{"deep below a member", `{"region":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}", 400, "body"},
		{"an array", "[]", 422, "body"},
		{"an array of records", "[" + runningRecord + "]", 422, "body"},
		{"null", "null", 422, "body"},
		{"a string", `"running"`, 422, "body"},
		{"a number", "12", 422, "body"},
		{"true", "true", 422, "body"},
	} {
		rows = append(rows,
			invalidRequest{"PUT body " + bad.name, "PUT", bodyPut, "", bad.body, bad.status, api.CodeInvalid, bad.at},
			invalidRequest{"POST body " + bad.name, "POST", bodyPost, "", bad.body, bad.status, api.CodeInvalid, bad.at})
	}
	return rows
}

// invalidBodyHeaders returns bodies that are rejected for their size or for their
// headers.
func invalidBodyHeaders() []invalidRequest {
	padded := func(size int) string { return runningRecord + strings.Repeat(" ", size-len(runningRecord)) }
	var rows []invalidRequest
	for _, bad := range []struct {
		name, headers, body string
		status              int
		code                api.Code
	}{
		{"1 MiB and a byte", "", padded(1<<20 + 1), 413, api.CodePayloadTooLarge},
		{"2 MB", "", padded(2_000_000), 413, api.CodePayloadTooLarge},
		{"2 MB in chunks", "Transfer-Encoding: chunked\r\n", "1E8480\r\n" + padded(2_000_000) + "\r\n0\r\n\r\n", 413, api.CodePayloadTooLarge},
		{"text/plain", "Content-Type: text/plain\r\n", runningRecord, 415, api.CodeUnsupportedMediaType},
		{"a form with files", "Content-Type: multipart/form-data; boundary=x\r\n", "--x--", 415, api.CodeUnsupportedMediaType},
		{"merge patch", "Content-Type: application/merge-patch+json\r\n", runningRecord, 415, api.CodeUnsupportedMediaType},
		{"a broken media type", "Content-Type: application/json; charset\r\n", runningRecord, 415, api.CodeUnsupportedMediaType},
		{"CBOR", "Content-Type: application/cbor\r\n", "\xa0", 415, api.CodeUnsupportedMediaType},
		{"gzip", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "\x1f\x8b\x08", 415, api.CodeUnsupportedMediaType},
		{"two encodings", "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", runningRecord, 415, api.CodeUnsupportedMediaType},
		{"two media types", "Content-Type: application/json\r\nContent-Type: text/plain\r\n", runningRecord, 415, api.CodeUnsupportedMediaType},
	} {
		rows = append(rows,
			invalidRequest{"PUT " + bad.name, "PUT", bodyPut, bad.headers, bad.body, bad.status, bad.code, ""},
			invalidRequest{"POST " + bad.name, "POST", bodyPost, bad.headers, bad.body, bad.status, bad.code, ""})
	}
	return append(rows,
		invalidRequest{"a body that ends early", "PUT", bodyPut, "Content-Length: 9999\r\nX-Half-Close: 1\r\n", runningRecord, 400, api.CodeInvalid, "body"},
		invalidRequest{"invalid chunks", "PUT", bodyPut, "Transfer-Encoding: chunked\r\n", "zz\r\n" + runningRecord, 400, api.CodeInvalid, "body"},
		invalidRequest{"chunks that end early", "PUT", bodyPut, "Transfer-Encoding: chunked\r\nX-Half-Close: 1\r\n", "40\r\n{}", 400, api.CodeInvalid, "body"},
	)
}

// withMembers returns the JSON object with members replaced; a nil value removes one.
func withMembers(object string, changes map[string]any) string {
	var members map[string]any
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		panic(err) // the objects are constants of these tests
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// withMember replaces one member by a JSON text.
func withMember(object, name, value string) string {
	return withMembers(object, map[string]any{name: json.RawMessage(value)})
}

// invalidRecords returns bodies of PUT with invalid members, and records that
// contradict themselves.
func invalidRecords() []invalidRequest {
	var rows []invalidRequest
	add := func(name, body string, at string) {
		rows = append(rows, invalidRequest{"record " + name, "PUT", bodyPut, "", body, 422, api.CodeInvalid, at})
	}
	for _, name := range []string{"status", "region", "node", "current_container_id", "current_image_ref", "engine_endpoint", "state_path", "docker_network", "created_at", "last_op_at", "started_at"} {
		for _, wrong := range []string{"7", "true", "[]", "{}"} {
			add(name+" is "+wrong, withMember(runningRecord, name, wrong), "body."+name)
		}
	}
	for _, name := range []string{"status", "region", "current_container_id", "generation", "created_at", "game_id"} {
		add(name+" is null", withMember(runningRecord, name, "null"), "body."+name)
	}
	for _, wrong := range []string{`"1"`, "1.5", "9223372036854775808", "-9223372036854775809", "1e999", "[1]", "-1"} {
		add("generation is "+wrong, withMember(runningRecord, "generation", wrong), "body.generation")
	}
	for _, wrong := range []string{`""`, `"Running"`, `"running "`, `"paused"`, `"unknown"`, `"r\u0000"`} {
		add("status is "+wrong, withMember(runningRecord, "status", wrong), "body.status")
	}
	for _, wrong := range []string{`""`, `"yesterday"`, `"2026-01-01"`, `"2026-01-01T00:00:00"`, `"2026-02-30T00:00:00Z"`, `"2026-01-01T25:00:00Z"`, `"10000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`} {
		add("created_at is "+wrong, withMember(runningRecord, "created_at", wrong), "body.created_at")
	}
	stopped := withMembers(runningRecord, map[string]any{"status": "stopped", "stopped_at": "2026-01-02T00:00:00Z"})
	removed := withMembers(stopped, map[string]any{"status": "removed", "removed_at": "2026-01-03T00:00:00Z", "current_container_id": nil})
	for _, bad := range []struct {
		name, of string
		changes  map[string]any
		at       string
	}{
		{"unknown member", runningRecord, map[string]any{"extra": 1}, "body.extra"},
		{"member in another case", runningRecord, map[string]any{"Status": "running"}, "body.Status"},
		{"two unknown members", runningRecord, map[string]any{"a": 1, "b": 2}, "body.a body.b"},
		{"revision", runningRecord, map[string]any{"revision": 2}, "body.revision"},
		{"another game's id", runningRecord, map[string]any{"game_id": "other"}, "body.game_id"},
		{"empty game id", runningRecord, map[string]any{"game_id": ""}, "body.game_id"},
		{"without status", runningRecord, map[string]any{"status": nil}, "body.status"},
		{"without created_at", runningRecord, map[string]any{"created_at": nil}, "body.created_at"},
		{"without last_op_at", runningRecord, map[string]any{"last_op_at": nil}, "body.last_op_at"},
		{"running without container", runningRecord, map[string]any{"current_container_id": ""}, "body.current_container_id"},
		{"running without started_at", runningRecord, map[string]any{"started_at": nil}, "body.started_at"},
		{"running with stopped_at", runningRecord, map[string]any{"stopped_at": "2026-01-02T00:00:00Z"}, "body.stopped_at"},
		{"running with removed_at", runningRecord, map[string]any{"removed_at": "2026-01-02T00:00:00Z"}, "body.removed_at"},
		{"zero started_at", runningRecord, map[string]any{"started_at": "0001-01-01T00:00:00Z"}, "body.started_at"},
		{"stopped without stopped_at", stopped, map[string]any{"stopped_at": nil}, "body.stopped_at"},
		{"stopped without container", stopped, map[string]any{"current_container_id": nil}, "body.current_container_id"},
		{"stopped with removed_at", stopped, map[string]any{"removed_at": "2026-01-03T00:00:00Z"}, "body.removed_at"},
		{"removed without removed_at", removed, map[string]any{"removed_at": nil}, "body.removed_at"},
		{"removed with container", removed, map[string]any{"current_container_id": "c1"}, "body.current_container_id"},
		{"over 64 KiB", runningRecord, map[string]any{"state_path": strings.Repeat("x", 64<<10)}, "body.record"},
		{"of nothing", "{}", nil, "body.created_at body.last_op_at body.status"},
	} {
		add(bad.name, withMembers(bad.of, bad.changes), bad.at)
	}
	return rows
}

// invalidChanges returns bodies of POST …/status with invalid members, and transitions
// that are not possible.
func invalidChanges() []invalidRequest {
	var rows []invalidRequest
	add := func(name, body, at string) {
		rows = append(rows, invalidRequest{"change " + name, "POST", bodyPost, "", body, 422, api.CodeInvalid, at})
	}
	for _, name := range []string{"expected_from", "to", "expected_container_id", "now", "reason"} {
		for _, wrong := range []string{"7", "true", "null", "[]", "{}"} {
			add(name+" is "+wrong, withMember(stopChange, name, wrong), "body."+name)
		}
	}
	for _, name := range []string{"expected_from", "to"} {
		for _, wrong := range []string{`""`, `"RUNNING"`, `"paused"`, `" running"`} {
			add(name+" is "+wrong, withMember(stopChange, name, wrong), "body."+name)
		}
		add("without "+name, withMembers(stopChange, map[string]any{name: nil}), "body."+name)
	}
	for _, wrong := range []string{
		`""`, `"0001-01-01T00:00:00Z"`, `"0001-01-01T01:00:00+01:00"`, `"soon"`, `"1767225600"`, `"2026-13-01T00:00:00Z"`,
		`"2026-01-01T00:00:00"`, `"2026-01-01 00:00:00Z"`, `"10000-01-01T00:00:00Z"`, `"-001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59-01:00"`,
	} {
		add("now is "+wrong, withMember(stopChange, "now", wrong), "body.now")
	}
	add("with an unknown member", withMembers(stopChange, map[string]any{"force": true}), "body.force")
	add("with a member in another case", withMembers(stopChange, map[string]any{"To": "stopped"}), "body.To")
	add("of nothing", "{}", "body.expected_from body.to")
	add("with a reason of 1025 bytes", withMembers(stopChange, map[string]any{"reason": strings.Repeat("x", 1025)}), "body.reason")

	for _, pair := range []string{"running running", "stopped stopped", "removed removed", "removed running", "removed stopped"} {
		from, to, _ := strings.Cut(pair, " ")
		rows = append(rows, invalidRequest{"pair " + pair, "POST", bodyPost, "",
			`{"expected_from":"` + from + `","to":"` + to + `"}`, 422, api.CodeInvalidTransition, ""})
	}
	change := func(from, container, to string) string {
		return `{"expected_from":"` + from + `","expected_container_id":"` + container + `","to":"` + to + `"}`
	}
	return append(rows,
		invalidRequest{"no such game", "POST", "/v1/runtimes/none/status", "", stopChange, 404, api.CodeNotFound, ""},
		invalidRequest{"stale status", "POST", bodyPost, "", change("stopped", "", "running"), 409, api.CodeConflict, ""},
		invalidRequest{"stale container", "POST", bodyPost, "", change("running", "c-old", "stopped"), 409, api.CodeConflict, ""},
		invalidRequest{"container in another case", "POST", bodyPost, "", change("running", "C-G", "stopped"), 409, api.CodeConflict, ""},
		invalidRequest{"stale status of a removed game", "POST", "/v1/runtimes/r/status", "", change("running", "", "removed"), 409, api.CodeConflict, ""},
		invalidRequest{"stale status of a stopped game", "POST", "/v1/runtimes/s/status", "", change("running", "", "stopped"), 409, api.CodeConflict, ""},
	)
}
