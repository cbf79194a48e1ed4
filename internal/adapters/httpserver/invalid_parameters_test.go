package httpserver_test

import (
	"strings"

	"galaxy/rtmanager/internal/api"
)

// invalidQueries returns queries with an invalid parameter.
func invalidQueries(storeID string) []invalidRequest {
	var rows []invalidRequest
	add := func(path, query, at string) {
		rows = append(rows, invalidRequest{"query " + path + "?" + shortName(query), "GET", "/v1/" + path + "?" + query, "", "", 400, api.CodeInvalid, at})
	}
	for _, bad := range []struct{ name, values string }{
		{"status", "paused|RUNNING|running%20|%00||running,stopped|%FF"},
		{"limit", "0|-1|10001|x||1.5|1e3|9223372036854775807|9223372036854775808|%201|0x10|1_000"},
		{"revision", "-1|x||9223372036854775808|-9223372036854775809|1.5|now"},
		{"consistency", "bogus||LOCAL|strong|eventual"},
		{"region", ""},
		{"node", ""},
		{"continue", "x|.|a.b|%00|%FF|e30.AAAA|%0A|" + strings.Repeat("A", 5000)},
	} {
		for value := range strings.SplitSeq(bad.values, "|") {
			add("runtimes", bad.name+"="+value, "query."+bad.name)
		}
	}
	for _, bad := range []struct{ name, values string }{
		{"status", "paused||Stopped|%00"},
		{"from_revision", "-1|x||9223372036854775808|1.5|-9223372036854775809|0x1"},
		{"resync", "maybe||2|yes"},
		{"region", ""},
		{"node", ""},
		{"store", ""},
		{"game_id", "%00|%FF|.|..|%20|" + strings.Repeat("x", 257)},
	} {
		for value := range strings.SplitSeq(bad.values, "|") {
			add("watch", bad.name+"="+value, "query."+bad.name)
		}
	}
	for _, bad := range []struct{ path, query, at string }{
		{"runtimes", "foo=1", "query.foo"},
		{"runtimes", "Limit=1", "query.Limit"},
		{"runtimes", "limit[]=1", "query.limit[]"},
		{"runtimes", "=1", "query."},
		{"runtimes", "from_revision=1", "query.from_revision"},
		{"runtimes", "limit=1&limit=1", "query.limit"},
		{"runtimes", "status=running&status=", "query.status"},
		{"runtimes", "region=a&region=", "query.region"},
		{"runtimes", "label_selector=a%3Db&label_selector=c", "query.label_selector"},
		{"runtimes", "label_selector=", "query.label_selector"},
		{"runtimes", "label_selector=a+b", "query.label_selector"},
		{"runtimes", "label_selector=a%00", "query.label_selector"},
		{"runtimes", "stores=all&label_selector=a+b", "query.label_selector"},
		{"runtimes", "image=", "query.image"},
		{"runtimes", "game_id_prefix=", "query.game_id_prefix"},
		{"watch", "label_selector=%3D", "query.label_selector"},
		{"runtimes", "limit=0&status=x", "query.limit query.status"},
		{"runtimes", "limit=%zz", "query"},
		{"runtimes", "limit=1;status=running", "query"},
		{"runtimes", strings.Repeat("n", 2000) + "=1", "query." + strings.Repeat("n", 64) + "…"},
		{"runtimes/g", "limit=1", "query.limit"},
		{"runtimes/g", "x", "query.x"},
		{"runtimes/g/history", "limit=1", "query.limit"},
		{"watch", "foo=1", "query.foo"},
		{"watch", "limit=1", "query.limit"},
		{"watch", "game_id=g&game_id=s", "query.game_id"},
		{"watch", "from_revision=5&from_revision=6", "query.from_revision"},
		{"cluster", "verbose=1", "query.verbose"},
		{"fsck", "repair=true", "query.repair"},
		{"watch", "store=" + storeID + "&store=" + storeID, "query.store"},
	} {
		add(bad.path, bad.query, bad.at)
	}
	return append(rows,
		invalidRequest{"query on a PUT", "PUT", bodyPut + "?dry_run=1", "", runningRecord, 400, api.CodeInvalid, "query.dry_run"},
		invalidRequest{"query on a POST", "POST", bodyPost + "?force=1", "", stopChange, 400, api.CodeInvalid, "query.force"},
		invalidRequest{"query on a repair", "POST", "/v1/fsck/repair?dry_run=1", "", "", 400, api.CodeInvalid, "query.dry_run"},
		invalidRequest{"query on healthz", "GET", "/healthz?x=1", "", "", 400, api.CodeInvalid, "query.x"},
		invalidRequest{"query on readyz", "GET", "/readyz?x=1", "", "", 400, api.CodeInvalid, "query.x"},
	)
}

// invalidRevisions returns requests for revisions that the store does not have.
func invalidRevisions() []invalidRequest {
	rows := []invalidRequest{}
	for _, bad := range []struct {
		path, query string
		status      int
		code        api.Code
	}{
		{"runtimes", "revision=99", 400, api.CodeForeignRevision},
		{"runtimes", "revision=9223372036854775807", 400, api.CodeForeignRevision},
		{"runtimes", "revision=2", 410, api.CodeCompacted},
		{"watch", "from_revision=99", 400, api.CodeForeignRevision},
		{"watch", "from_revision=9223372036854775807", 400, api.CodeForeignRevision},
		{"watch", "from_revision=2", 410, api.CodeCompacted},
		{"watch", "from_revision=1&game_id=g", 410, api.CodeCompacted},
		{"watch", "store=another", 400, api.CodeForeignRevision},
		{"watch", "store=another&from_revision=2", 400, api.CodeForeignRevision},
	} {
		rows = append(rows, invalidRequest{"revision " + bad.path + "?" + bad.query, "GET", "/v1/" + bad.path + "?" + bad.query, "", "", bad.status, bad.code, ""})
	}
	return rows
}

func shortName(text string) string { return text[:min(len(text), 40)] }

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
		invalidRequest{"header If-Match any of a game without a record", "PUT", "/v1/runtimes/none", "If-Match: *\r\n", runningRecord, 412, api.CodePreconditionFailed, ""},
		invalidRequest{"header If-Match of a game without a record", "PUT", "/v1/runtimes/none", "If-Match: \"2\"\r\n", runningRecord, 412, api.CodePreconditionFailed, ""},
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
