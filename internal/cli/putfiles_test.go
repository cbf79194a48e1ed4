package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const recordYAML = `game_id: %s
status: running
current_container_id: c1
created_at: 2026-03-01T12:00:00Z
last_op_at: 2026-03-01T12:00:00Z
started_at: 2026-03-01T12:00:00Z
`

func records(ids ...string) string {
	var documents []string
	for _, id := range ids {
		documents = append(documents, fmt.Sprintf(recordYAML, id))
	}
	return strings.Join(documents, "---\n")
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "input: holds no record"},
		"comments":       {"# nothing\n", "input: holds no record"},
		"not YAML":       {"a: [", "input: document 1: yaml: line 1"},
		"a text":         {"hello", "input: document 1: a text is neither a record nor a list of records"},
		"cut off":        {`{"game_id":"a"`, "input: document 1: not JSON: unexpected EOF"},
		"unknown field":  {records("a") + "---\n" + records("b") + "imgae: x\n", `document 2: unknown field "imgae"`},
		"field twice":    {records("a") + "status: running\n", `"status" already set`},
		"unquoted":       {records("17"), "game_id: wants a text, not a number; put it in quotes"},
		"bad instant":    {strings.Replace(records("a"), "2026-03-01T12:00:00Z", "noon", 1), `created_at: "noon" is not an instant such as 2026-03-01T12:00:00Z`},
		"contradiction":  {records("a") + "removed_at: 2026-03-01T12:00:00Z\n", `record 1 (game "a"): removed_at must be absent while running`},
		"second is bad":  {records("a", `"\x1b"`), `record 2 (game "\x1b"): game_id "\x1b" holds a control character`},
		"second is huge": {records("a", "b") + "state_path: " + strings.Repeat("x", 70_000), `record 2 (game "b"): record takes`},
		"year 10000":     {records("a") + "---\n" + strings.Replace(records("b"), "created_at: 2026-03-01T12:00:00Z", `created_at: "9999-12-31T23:59:59-23:59"`, 1), "created_at is in the year 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, form := range []string{"-", file(t, "records", c.text)} {
				got := commandLine{args: []string{"put", "-f", form}, stdin: c.text}.run(t.Context())
				got.requireCode(t, 2, c.text)
				want := strings.Replace(c.want, "input:", "standard input:", 1)
				if form != "-" {
					want = strings.Replace(c.want, "input:", form+":", 1)
				}
				require.Contains(t, got.err, want)
				require.NotContains(t, got.err, "\x1b")
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, want := range map[string]string{
		dir:              "read " + dir + ": is a directory; -f wants a file with records, or - for standard input",
		dir + "/missing": "open " + dir + "/missing: no such file or directory; -f wants a file",
	} {
		got := run(t, "", "put", "-f", name)
		got.requireCode(t, 1, name)
		require.Contains(t, got.err, want)
	}
}

func TestFlagsForOneRecordAreRefusedForSeveral(t *testing.T) {
	t.Parallel()
	for _, flag := range [][]string{{"--if-revision", "0"}, {"--operation-id", "op"}} {
		got := commandLine{args: append([]string{"put", "-f", "-"}, flag...), stdin: records("a", "b")}.run(t.Context())
		got.requireCode(t, 2, flag)
		require.Contains(t, got.err, "--if-revision and --operation-id are for one record; standard input holds 2")
	}
}

// The user's name is a courtesy: one that no ledger can keep must not fail a
// write that is sound.
func TestOddUserNamesDoNotFailAWrite(t *testing.T) {
	t.Parallel()
	handler, store := api(t)
	server := serving(t, handler)
	for i, user := range []string{"\xff", strings.Repeat("x", 300), ""} {
		id := fmt.Sprint("game-", i)
		got := commandLine{args: []string{"put", "-f", "-"}, server: server, stdin: records(id), env: map[string]string{"USER": user}}.run(t.Context())
		got.requireCode(t, 0, user)
		history, err := store.History(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, history[0].Actor)
	}
}
