package httpserver_test

import (
	"strings"

	"galaxy/rtmanager/internal/api"
)

// invalidHeaders returns requests that are valid but for one header.
func invalidHeaders() []invalidRequest {
	var rows []invalidRequest
	put := func(name, headers string, status int, code api.Code, at string) {
		rows = append(rows, invalidRequest{"header " + name, "PUT", bodyPut, headers, runningRecord, status, code, at})
	}
	for _, wrong := range []string{
		"2", `"2`, `2"`, `""`, `"x"`, `"-2"`, `"0"`, `"02"`, `"+2"`, `" 2"`, `W/"2"`, `"2";`, `"9223372036854775808"`, `"2",`, `"2",,"3"`, `*,"2"`, "**", "''",
		strings.Repeat("x", 300),
	} {
		put("If-Match "+wrong, "If-Match: "+wrong+"\r\n", 400, api.CodeInvalid, "header.If-Match")
	}
	for _, wrong := range []string{`"2"`, "2", `W/"2"`, `*, "2"`} {
		put("If-None-Match "+wrong, "If-None-Match: "+wrong+"\r\n", 400, api.CodeInvalid, "header.If-None-Match")
	}
	put("If-Match and If-None-Match", "If-Match: \"2\"\r\nIf-None-Match: *\r\n", 400, api.CodeInvalid, "header.If-Match")
	put("If-Match that is stale", "If-Match: \"1\"\r\n", 412, api.CodePreconditionFailed, "")
	put("If-Match that lies in the future", "If-Match: \"9223372036854775807\"\r\n", 412, api.CodePreconditionFailed, "")
	put("If-Match whose list is stale", "If-Match: \"1\", \"3\"\r\n", 412, api.CodePreconditionFailed, "")
	put("If-Match whose two lines are stale", "If-Match: \"1\"\r\nIf-Match: \"3\"\r\n", 412, api.CodePreconditionFailed, "")
	put("If-None-Match over a record", "If-None-Match: *\r\n", 412, api.CodePreconditionFailed, "")
	rows = append(rows,
		invalidRequest{"header If-Match any of a game that is not there", "PUT", "/v1/runtimes/none", "If-Match: *\r\n", runningRecord, 412, api.CodePreconditionFailed, ""},
		invalidRequest{"header If-Match of a game that is not there", "PUT", "/v1/runtimes/none", "If-Match: \"2\"\r\n", runningRecord, 412, api.CodePreconditionFailed, ""},
		invalidRequest{"header If-Match on a status change", "POST", bodyPost, "If-Match: \"2\"\r\n", stopChange, 400, api.CodeInvalid, "header.If-Match"},
		invalidRequest{"header If-None-Match on a status change", "POST", bodyPost, "If-None-Match: *\r\n", stopChange, 400, api.CodeInvalid, "header.If-None-Match"},
	)
	for _, call := range []struct{ method, path, body string }{{"PUT", bodyPut, runningRecord}, {"POST", bodyPost, stopChange}} {
		for _, bad := range []struct{ name, header, value string }{
			{"of 129 bytes", "Idempotency-Key", strings.Repeat("k", 129)},
			{"that cannot be printed", "Idempotency-Key", "UTF-8''a%07b"},
			{"with a line feed", "Idempotency-Key", "UTF-8''a%0Ab"},
			{"with a tab", "Idempotency-Key", "a\tb"},
			{"that is not UTF-8", "Idempotency-Key", "k\xff"},
			{"with a broken escape", "Idempotency-Key", "UTF-8''%4"},
			{"with a broken escape", "Rtmanager-Actor", "UTF-8''J%F"},
			{"with an escape of no digits", "Rtmanager-Actor", "utf-8''%zz"},
			{"whose escapes are not UTF-8", "Rtmanager-Actor", "UTF-8''%FF"},
			{"in Latin-1", "Rtmanager-Actor", "J\xf6rg"},
			{"with a language and a broken escape", "Rtmanager-Actor", "UTF-8'de-AT'J%"},
			{"of 257 bytes", "Rtmanager-Actor", strings.Repeat("a", 257)},
			{"of 257 bytes, escaped", "Rtmanager-Actor", "UTF-8''" + strings.Repeat("%61", 257)},
		} {
			rows = append(rows, invalidRequest{call.method + " " + bad.header + " " + bad.name, call.method, call.path,
				bad.header + ": " + bad.value + "\r\n", call.body, 400, api.CodeInvalid, "header." + bad.header})
		}
		for _, twice := range []string{"Idempotency-Key", "Rtmanager-Actor"} {
			rows = append(rows, invalidRequest{call.method + " " + twice + " twice", call.method, call.path,
				twice + ": a\r\n" + twice + ": b\r\n", call.body, 400, api.CodeInvalid, "header." + twice})
		}
	}
	put("Rtmanager-Reason with a broken escape", "Rtmanager-Reason: UTF-8''%\r\n", 400, api.CodeInvalid, "header.Rtmanager-Reason")
	put("Rtmanager-Reason of 1025 bytes", "Rtmanager-Reason: "+strings.Repeat("r", 1025)+"\r\n", 400, api.CodeInvalid, "header.Rtmanager-Reason")
	put("Rtmanager-Reason twice", "Rtmanager-Reason: a\r\nRtmanager-Reason: b\r\n", 400, api.CodeInvalid, "header.Rtmanager-Reason")

	for _, wrong := range []string{"garbage", "-1", "1.0", "0x2", "9223372036854775808", "\"2\"", "2 3", "1_0", "٣"} {
		rows = append(rows, invalidRequest{"Last-Event-ID " + wrong, "GET", "/v1/watch", "Last-Event-ID: " + wrong + "\r\n", "", 400, api.CodeInvalid, "header.Last-Event-ID"})
	}
	for _, wrong := range []string{"application/json", "text/html", "text/event-streams", "image/*", "application/x-ndjson;q=0", ";", "application/xml, text/html"} {
		rows = append(rows, invalidRequest{"watch Accept " + wrong, "GET", "/v1/watch", "Accept: " + wrong + "\r\n", "", 406, api.CodeNotAcceptable, ""})
	}
	return append(rows,
		invalidRequest{"Last-Event-ID twice", "GET", "/v1/watch", "Last-Event-ID: 5\r\nLast-Event-ID: 6\r\n", "", 400, api.CodeInvalid, "header.Last-Event-ID"},
		invalidRequest{"Last-Event-ID of the future", "GET", "/v1/watch", "Last-Event-ID: 99\r\n", "", 400, api.CodeForeignRevision, ""},
		invalidRequest{"Last-Event-ID that is compacted", "GET", "/v1/watch", "Last-Event-ID: 2\r\n", "", 410, api.CodeCompacted, ""},
	)
}
