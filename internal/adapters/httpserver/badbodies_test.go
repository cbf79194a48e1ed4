package httpserver_test

import (
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

// invalidBodyHeaders returns bodies that are refused for their size or for their
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
		invalidRequest{"chunks that are none", "PUT", bodyPut, "Transfer-Encoding: chunked\r\n", "zz\r\n" + runningRecord, 400, api.CodeInvalid, "body"},
		invalidRequest{"chunks that end early", "PUT", bodyPut, "Transfer-Encoding: chunked\r\nX-Half-Close: 1\r\n", "40\r\n{}", 400, api.CodeInvalid, "body"},
	)
}
