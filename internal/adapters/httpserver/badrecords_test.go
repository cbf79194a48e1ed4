package httpserver_test

import (
	"encoding/json"
	"maps"
	"strings"

	"galaxy/rtmanager/internal/api"
)

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
