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
		{"runtimes", "status=running&status=stopped", "query.status"},
		{"runtimes", "region=a&region=b", "query.region"},
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
		{"watch", "from_revision=99&resync=true", 400, api.CodeForeignRevision},
		{"watch", "from_revision=2", 410, api.CodeCompacted},
		{"watch", "from_revision=1&game_id=g", 410, api.CodeCompacted},
		{"watch", "store=another", 400, api.CodeForeignRevision},
		{"watch", "store=another&from_revision=2", 400, api.CodeForeignRevision},
		{"watch", "store=another&resync=true", 400, api.CodeForeignRevision},
	} {
		rows = append(rows, invalidRequest{"revision " + bad.path + "?" + bad.query, "GET", "/v1/" + bad.path + "?" + bad.query, "", "", bad.status, bad.code, ""})
	}
	return rows
}

func shortName(text string) string { return text[:min(len(text), 40)] }
