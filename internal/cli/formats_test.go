package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// runWithFormat runs a command on a new store of two games and returns its output.
func runWithFormat(t *testing.T, command, format string, more ...string) string {
	t.Helper()
	other := stoppedRecord("eu/chess 17")
	other.Region, other.Node, other.EngineEndpoint, other.CurrentImageRef = "eu", "eu-1", "http://10.0.0.7:7777", "galaxy/engine:1.4.2"
	if command == "drift" { // which reports absent nodes
		other.Node = "n1"
	}
	handler, _ := newAPI(t, runningRecord("game"), other)
	args := append(append([]string{command}, clientCommands[command]...), more...)
	if format != "" {
		args = append(args, "-o", format)
	}
	want := 0
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out notifyingWriter
	if command == "watch" { // it prints the snapshot by one write, and would continue
		out.onWrite, want = interrupt, 130
	}
	got := commandLine{args: args, server: serveHandler(t, handler), stdin: records("new"), stdout: &out}.run(ctx)
	got.requireCode(t, want, args)
	require.Empty(t, got.err, "%q", args)
	require.NotContains(t, out.String(), "\x1b", "there are no colors in a pipe")
	return out.String()
}

// notifyingWriter is a buffer that calls onWrite after each write.
type notifyingWriter struct {
	bytes.Buffer
	onWrite func()
}

func (n *notifyingWriter) Write(text []byte) (int, error) {
	if n.onWrite != nil {
		defer n.onWrite()
	}
	return n.Buffer.Write(text)
}

// In JSON and YAML every command prints the same values.
func TestFormatsForPrograms(t *testing.T) {
	t.Parallel()
	for command := range clientCommands {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			var lines []any
			for line := range strings.Lines(runWithFormat(t, command, "json")) {
				var value any
				require.NoError(t, json.Unmarshal([]byte(line), &value), "line %q", line)
				lines = append(lines, withoutVolatile(value))
			}
			require.NotEmpty(t, lines)
			var documents []any
			for document := range strings.SplitSeq(runWithFormat(t, command, "yaml"), "---\n") {
				var value any
				require.NoError(t, yaml.Unmarshal([]byte(document), &value), "document %q", document)
				documents = append(documents, withoutVolatile(value))
			}
			require.Equal(t, lines, documents, "YAML and JSON must be equal")
		})
	}
}

// withoutVolatile removes the members that differ between stores.
func withoutVolatile(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range []string{"store_id", "operation_id", "stopped_at", "last_op_at", "at"} {
			delete(v, name)
		}
		for _, inner := range v {
			withoutVolatile(inner)
		}
	case []any:
		for _, inner := range v {
			withoutVolatile(inner)
		}
	}
	return value
}

func TestFormatsForPeople(t *testing.T) {
	t.Parallel()
	const (
		narrow = "GAME STATUS HEALTH REGION NODE CONTAINER IMAGE AGE"
		wide   = narrow + " DESIRED RESTARTS OPERATION CHANGED REVISION GENERATION ENDPOINT PORTS NETWORK STATE-PATH"
		tabs   = "TIME REVISION EVENT GAME FROM TO CONTAINER NODE"
	)
	for _, c := range []struct {
		command, format, header string
		rows                    int // 0 is any number
		contains                string
	}{
		{"list", "", narrow, 2, `"eu/chess 17" stopped - eu eu-1 c1 galaxy/engine:1.4.2 24h`},
		{"list", "table", narrow, 2, "game running - - - c1 - 24h"},
		{"list", "wide", wide, 2, "galaxy/engine:1.4.2 24h - 0 - 24h 3 0 http://10.0.0.7:7777 - -"},
		{"get", "", "", 0, "Status: running"},
		{"get", "table", narrow, 1, "game running"},
		{"get", "wide", wide, 1, "24h - 0 - 24h 2 0 - - -"},
		{"put", "", "", 1, "new put: running, revision 4"},
		{"put", "table", narrow, 1, "new running"},
		{"set-status", "", "", 1, "game running → stopped, revision 4"},
		{"set-status", "wide", wide, 1, "game stopped - - - c1 - 24h - 0 - 0s 4 0"},
		{"history", "", "SEQ AT CHANGE CONTAINER REVISION REASON", 1, "1 2026-03-01T12:00:00Z - → running c1 2 -"},
		{"history", "table", "SEQ AT CHANGE CONTAINER REVISION REASON", 1, "- → running"},
		{"history", "wide", "SEQ AT CHANGE CONTAINER REVISION REASON IMAGE ACTOR OPERATION", 1, "- → running"},
		{"watch", "", tabs, 2, "2026-03-01T12:00:00Z 3 snapshot game - running c1 -"},
		{"watch", "wide", tabs + " REGION IMAGE", 2, `snapshot "eu/chess 17" - stopped c1 eu-1 eu galaxy/engine:1.4.2`},
		{"fsck", "", "", 2, "clean: no inconsistency found"},
		{"fsck", "wide", "", 2, "checked 2 records, 2 index keys, 2 ledger entries at revision 3"},
		{"start", "", "", 1, "game start: running on eu/n1, revision 7"},
		{"stop", "", "", 1, "game stop: stopped on eu/n1, revision 7"},
		{"cleanup", "table", narrow, 1, "game removed - eu n1 - - 24h"},
		{"patch", "wide", wide, 1, "game running - eu n1 c1 - 24h - 0 - 24h 7 0"},
		{"restart", "table", narrow, 1, "game running - eu n1 c1"},
		{"explain", "", "", 0, "Game: game\nStatus: running\nSince: 2026-03-01T12:00:00Z (24h ago), revision 7\n"},
		{"nodes", "", "REGION NODE STATUS LEADER GAMES ENGINE AGE API", 2, "eu n1 ready yes 0 process"},
		{"nodes", "wide", "REGION NODE STATUS LEADER GAMES ENGINE AGE API RUNNING CPUS MEMORY LABELS TAINTS VERSION CLOCK RESPONDER STARTED INSTANCE IDENTITY SESSION MAINTENANCE", 2, "1.2.3 ok yes 2026-03-01T12:00:00Z n1-1 n1 5 -"},
		{"drift", "", "", 1, "no drift: records and engines agree"},
		{"drift", "table", "GAME KIND ACTION NODE AGE EVIDENCE", 0, ""},
		{"version", "", "", 0, "Schema: "},
		{"version", "table", "", 0, "Client: "},
	} {
		t.Run(c.command+" "+c.format, func(t *testing.T) {
			t.Parallel()
			text := runWithFormat(t, c.command, c.format)
			var lines []string
			for line := range strings.Lines(text) {
				require.Equal(t, strings.TrimRight(line, " \t\n")+"\n", line, "a line without blanks at its end")
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
			if c.header != "" {
				require.Equal(t, c.header, lines[0])
				bare := runWithFormat(t, c.command, c.format, "--no-headers")
				require.NotContains(t, bare, strings.Fields(c.header)[0], "--no-headers")
				require.Equal(t, len(lines)-1, strings.Count(bare, "\n"), "--no-headers drops one line")
				lines = lines[1:]
			}
			if c.rows > 0 {
				require.Len(t, lines, c.rows, "printed\n%s", text)
			}
			require.Contains(t, strings.Join(lines, "\n"), c.contains)
		})
	}
}

// An empty list prints nothing to standard output.
func TestEmptyListPrintsNothing(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t, runningRecord("game"))
	server := serveHandler(t, handler)
	for _, args := range [][]string{{"list", "--status", "removed"}, {"list", "--region", "eu"}, {"list", "--node", "x", "-o", "wide"}} {
		got := run(t, server, args...)
		got.requireCode(t, 0, args)
		require.Empty(t, got.out)
		require.Equal(t, "rtmanager: list: no matching records at revision 2\n", got.err)
	}
	got := run(t, server, "list", "--status", "removed", "-o", "json")
	got.requireCode(t, 0, "list -o json")
	require.Equal(t, `{"revision":2,"items":[],"item_revisions":[]}`+"\n", got.out)
}

// The members of YAML are in the order of JSON.
func TestYAMLHasTheOrderOfJSON(t *testing.T) {
	t.Parallel()
	text := runWithFormat(t, "list", "yaml")
	order := []string{"revision:", "items:", "game_id:", "status:", "current_container_id:", "created_at:", "item_revisions:"}
	for i := 1; i < len(order); i++ {
		require.Less(t, strings.Index(text, order[i-1]), strings.Index(text, order[i]), "%s in\n%s", order[i], text)
	}
}

// An expression selects a part of a result; its error is one of the command line.
func TestFormatsWithExpressions(t *testing.T) {
	t.Parallel()
	require.Equal(t, "eu/chess 17\ngame\n", runWithFormat(t, "list", "name"))
	require.Equal(t, "running\n", runWithFormat(t, "get", "jsonpath=.status"))
	require.Equal(t, "eu/eu-1\neu/n1\n", runWithFormat(t, "nodes", "name"))
	require.Equal(t, "stopped running \n", runWithFormat(t, "list", "go-template={{range .items}}{{.status}} {{end}}"))
	require.Equal(t, "eu/chess 17\ngame\n", runWithFormat(t, "watch", "name"), "events that are about no game are omitted")
	got := run(t, "", "list", "-o", "jsonpath={.items[}")
	got.requireCode(t, 2, "invalid expression")
	require.Contains(t, got.err, "jsonpath={.items[} is invalid: unterminated array")
}
