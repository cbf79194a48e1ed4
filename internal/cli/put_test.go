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

func TestInvalidFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "input: contains no record"},
		"comments":       {"# nothing\n", "input: contains no record"},
		"not YAML":       {"a: [", "input: document 1: yaml: line 1"},
		"a string":       {"hello", "input: document 1: a string is neither a record nor a list of records"},
		"cut off":        {`{"game_id":"a"`, "input: document 1: not JSON: unexpected EOF"},
		"unknown field":  {records("a") + "---\n" + records("b") + "imgae: x\n", `document 2: unknown field "imgae"`},
		"field twice":    {records("a") + "status: running\n", `"status" already set`},
		"unquoted":       {records("17"), "game_id: must be a string, not a number; put it in quotes"},
		"bad time":       {strings.Replace(records("a"), "2026-03-01T12:00:00Z", "noon", 1), `created_at: "noon" is not a time such as 2026-03-01T12:00:00Z`},
		"contradiction":  {records("a") + "removed_at: 2026-03-01T12:00:00Z\n", `record 1 (game "a"): removed_at must be absent while running`},
		"second is bad":  {records("a", `"\x1b"`), `record 2 (game "\x1b"): game_id "\x1b" contains a control character`},
		"second is huge": {records("a", "b") + "state_path: " + strings.Repeat("x", 70_000), `record 2 (game "b"): record takes`},
		"year 10000":     {records("a") + "---\n" + strings.Replace(records("b"), "created_at: 2026-03-01T12:00:00Z", `created_at: "9999-12-31T23:59:59-23:59"`, 1), "created_at is in the year 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, source := range []string{"-", writeFile(t, "records", c.text)} {
				got := commandLine{args: []string{"put", "-f", source}, stdin: c.text}.run(t.Context())
				got.requireCode(t, 2, c.text)
				want := strings.Replace(c.want, "input:", "standard input:", 1)
				if source != "-" {
					want = strings.Replace(c.want, "input:", source+":", 1)
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
		dir:              "read " + dir + ": is a directory; -f requires a file with records, or - for standard input",
		dir + "/missing": "open " + dir + "/missing: no such file or directory; -f requires a file",
	} {
		got := run(t, "", "put", "-f", name)
		got.requireCode(t, 1, name)
		require.Contains(t, got.err, want)
	}
}

// What get prints can be written if the record has not changed since.
func TestPutIfUnchanged(t *testing.T) {
	t.Parallel()
	handler, store := newAPI(t, runningRecord("game"), runningRecord("other"))
	server := serveHandler(t, handler)
	for _, read := range [][]string{{"get", "game", "-o", "json"}, {"get", "game", "-o", "yaml"}, {"list", "-o", "json"}} {
		printed := run(t, server, read...)
		printed.requireCode(t, 0, read)
		put := func(flags ...string) result {
			return commandLine{args: append([]string{"put", "-f", "-", "--server", server}, flags...), stdin: printed.out}.run(t.Context())
		}
		put("--if-unchanged").requireCode(t, 0, "nothing has changed")
		got := put("--if-unchanged")
		got.requireCode(t, 3, "the put has changed the record")
		put().requireCode(t, 0, "without the flag the revision is ignored")
	}
	revision, err := store.Revision(t.Context())
	require.NoError(t, err)
	got := commandLine{args: []string{"put", "-f", "-", "--if-unchanged", "--server", server}, stdin: records("game")}.run(t.Context())
	got.requireCode(t, 2, "no revision")
	require.Contains(t, got.err, `record 1 (game "game") has no revision, which --if-unchanged requires`)
	after, err := store.Revision(t.Context())
	require.NoError(t, err)
	require.Equal(t, revision, after)
}

func TestFlagsForOneRecordAreRejectedForSeveral(t *testing.T) {
	t.Parallel()
	for _, flag := range [][]string{{"--if-revision", "0"}, {"--operation-id", "op"}} {
		got := commandLine{args: append([]string{"put", "-f", "-"}, flag...), stdin: records("a", "b")}.run(t.Context())
		got.requireCode(t, 2, flag)
		require.Contains(t, got.err, "--if-revision and --operation-id are for one record; standard input contains 2")
	}
}

// The user's name is optional: one that the ledger cannot store must not fail the write.
func TestInvalidUserNamesDoNotFailAWrite(t *testing.T) {
	t.Parallel()
	handler, store := newAPI(t)
	server := serveHandler(t, handler)
	for i, user := range []string{"\xff", strings.Repeat("x", 300), ""} {
		id := fmt.Sprint("game-", i)
		got := commandLine{args: []string{"put", "-f", "-"}, server: server, stdin: records(id), env: map[string]string{"USER": user}}.run(t.Context())
		got.requireCode(t, 0, user)
		history, err := store.History(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, history[0].Actor)
	}
}
