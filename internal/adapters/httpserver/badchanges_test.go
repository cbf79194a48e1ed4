package httpserver_test

import (
	"strings"

	"galaxy/rtmanager/internal/api"
)

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
