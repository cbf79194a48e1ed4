package truth

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// conditionFields are written by a node at any time, without an entry in the ledger.
var conditionFields = []string{"desired_status", "health", "health_since", "restarts", "crash_loop", "restart_pending", "node_lost_at", "operation", "ready"}

// recordFields are the documented members of a record, except for those of the condition.
var recordFields = []string{
	"game_id", "status", "region", "node", "current_container_id", "current_image_ref", "image_digest", "engine_endpoint", "state_path", "docker_network",
	"labels", "metadata", "ports", "generation", "created_at", "last_op_at", "started_at", "stopped_at", "removed_at", "request_cpus", "request_memory_bytes",
}

var allFields = slices.Concat(recordFields, conditionFields)

// Fields are the documented members of a record in a form that compares: absent and empty are the
// same, and so are two texts of one time.
type Fields map[string]string

// ParseFields returns the fields of a record in any of its forms, nil for one that is not a JSON
// object.
func ParseFields(text []byte) Fields {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || members == nil {
		return nil
	}
	fields := make(Fields, len(members))
	for _, name := range allFields {
		if normal := normalValue(name, members[name]); normal != "" {
			fields[name] = normal
		}
	}
	return fields
}

// normalValue returns a value in its normal form, empty for an absent or empty one.
func normalValue(name string, value json.RawMessage) string {
	if len(value) == 0 {
		return ""
	}
	switch text := string(value); text {
	case "null", `""`, "0", "false", "{}", "[]":
		return ""
	}
	if value[0] == '{' || value[0] == '[' {
		return normalTree(value)
	}
	if isTime(name) {
		if at, isParsed := parseTime(value); isParsed {
			return at
		}
	}
	if value[0] == '"' && strings.IndexByte(string(value), '\\') >= 0 {
		var text string
		if json.Unmarshal(value, &text) == nil {
			return `"` + text + `"`
		}
	}
	return string(value)
}

func isTime(name string) bool {
	return strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "_since")
}

func parseTime(value json.RawMessage) (string, bool) {
	var at time.Time
	if json.Unmarshal(value, &at) != nil {
		return "", false
	}
	return at.UTC().Format(time.RFC3339Nano), true
}

// normalTree returns an object or list with sorted members, without empty ones.
func normalTree(value json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) == nil {
		var parts []string
		for name, member := range members {
			if normal := normalValue(name, member); normal != "" {
				parts = append(parts, name+":"+normal)
			}
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	var items []json.RawMessage
	if json.Unmarshal(value, &items) != nil {
		return string(value)
	}
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = normalValue("", item)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// Diff returns the names of the fields that differ, except for the ignored ones.
func (f Fields) Diff(other Fields, ignored ...string) (names []string) {
	for _, name := range allFields {
		if f[name] != other[name] && !slices.Contains(ignored, name) {
			names = append(names, name)
		}
	}
	return names
}

// IsCondition reports whether a field is part of the condition of a record.
func IsCondition(name string) bool { return slices.Contains(conditionFields, name) }
