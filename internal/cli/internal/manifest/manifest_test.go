package manifest

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
)

func idsOf(records []runtime.VersionedRecord) []string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.Record.GameID)
	}
	return ids
}

// Every record is found, in order, however the file combines them.
func TestRecordsOfEveryForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"JSON object":          {`{"game_id":"a"}`, []string{"a"}},
		"JSON lines":           {"{\"game_id\":\"a\"}\n{\"game_id\":\"b\"}\n", []string{"a", "b"}},
		"JSON without a break": {`{"game_id":"a"}{"game_id":"b"}`, []string{"a", "b"}},
		"JSON list":            {`[{"game_id":"a"},{"game_id":"b"}]`, []string{"a", "b"}},
		"JSON items":           {`{"revision":7,"items":[{"game_id":"a"},{"game_id":"b"}]}`, []string{"a", "b"}},
		"JSON of all kinds":    {`[{"game_id":"a"}] {"items":[{"game_id":"b"}]} {"game_id":"c"}`, []string{"a", "b", "c"}},
		"JSON after blanks":    {"\n\t {\"game_id\":\"a\"}", []string{"a"}},
		"JSON surrogates":      {`{"game_id":"\ud83d\ude80"}`, []string{"🚀"}},

		"YAML":                   {"game_id: a\n", []string{"a"}},
		"YAML without an end":    {"game_id: a", []string{"a"}},
		"YAML documents":         {"game_id: a\n---\ngame_id: b\n", []string{"a", "b"}},
		"YAML marker first":      {"---\ngame_id: a\n---\ngame_id: b\n---\n", []string{"a", "b"}},
		"YAML marker commented":  {"game_id: a\n--- # next\ngame_id: b\n", []string{"a", "b"}},
		"YAML on the marker":     {"--- {game_id: a}\n--- {game_id: b}\n", []string{"a", "b"}},
		"YAML end marker":        {"game_id: a\n...\ngame_id: b\n", []string{"a", "b"}},
		"YAML both markers":      {"game_id: a\n...\n---\ngame_id: b\n...\n", []string{"a", "b"}},
		"YAML of Windows":        {"game_id: a\r\n---\r\ngame_id: b\r\n", []string{"a", "b"}},
		"YAML list":              {"- game_id: a\n- game_id: b\n", []string{"a", "b"}},
		"YAML items":             {"items:\n- game_id: a\n- game_id: b\n", []string{"a", "b"}},
		"YAML comments":          {"# one\ngame_id: a # two\n---\n# nothing\n---\ngame_id: b\n", []string{"a", "b"}},
		"YAML alias":             {"game_id: &id a\nregion: *id\n", []string{"a"}},
		"YAML marker in a text":  {"game_id: a\nregion: |\n  x\n  ---\n  y\n", []string{"a"}},
		"YAML dashes in a text":  {"game_id: ---a\n", []string{"---a"}},
		"YAML quoted number":     {"game_id: \"12\"\n", []string{"12"}},
		"YAML word that is bool": {"game_id: 'no'\n", []string{"no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Records([]byte(c.text))
			require.NoError(t, err, "decode %q", c.text)
			require.Equal(t, c.want, idsOf(got), "decode %q", c.text)
		})
	}
}

// A field that a record does not have, or cannot decode, is an error that names it.
func TestInvalidFilesAreRejected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":         {"", "contains no record"},
		"blanks":          {" \n \n", "contains no record"},
		"comments":        {"# a\n# b\n", "contains no record"},
		"markers":         {"---\n---\n", "contains no record"},
		"null":            {"~\n", "contains no record"},
		"empty list":      {"[]", "contains no record"},
		"empty items":     {`{"items":[]}`, "contains no record"},
		"text":            {"hello\n", "document 1"},
		"number":          {"12\n", "document 1"},
		"not UTF-8":       {"\xff", "document 1"},
		"marker and tab":  {"game_id: a\n---\t\ngame_id: b\n", "document 2"},
		"other breaks":    {"game_id: a\r---\rgame_id: b\r", "continues after its end"},
		"not closed":      {`{"game_id":"a"`, "document 1"},
		"garbage after":   {`{"game_id":"a"} x`, "document 2"},
		"list in a list":  {`[[{"game_id":"a"}]]`, "document 1"},
		"items no list":   {`{"items":{"game_id":"a"}}`, "document 1"},
		"unknown in JSON": {`{"game_id":"a"} {"game_id":"b","gmae":1}`, `document 2: unknown field "gmae"`},
		"unknown in YAML": {"game_id: a\n---\ngame_id: b\ngmae: 1\n", `document 2: unknown field "gmae"`},
		"unknown in list": {`[{"game_id":"a"},{"gmae":1}]`, `unknown field "gmae"`},
		"unknown in item": {`{"items":[{"gmae":1}]}`, `unknown field "gmae"`},
		"another case":    {`{"Game_ID":"a"}`, `unknown field "Game_ID"`},
		"twice in JSON":   {`{"game_id":"a","game_id":"b"}`, "game_id"},
		"twice in a list": {`[{"game_id":"a","game_id":"b"}]`, "game_id"},
		"twice in YAML":   {"game_id: a\ngame_id: b\n", `"game_id" already set`},
		"YAML boolean":    {"game_id: no\n", "game_id"},
		"YAML number":     {"game_id: 12\n", "game_id"},
		"fraction":        {"generation: 1.5\n", "generation"},
		"too large":       {`{"generation":9223372036854775808}`, "generation"},
		"bad time":        {"created_at: yesterday\n", "created_at"},
		"tab in YAML":     {"game_id: a\n\tnode: b\n", "document 1"},
		"unknown alias":   {"game_id: *unknown\n", "document 1"},
		"members of both": {`{"game_id":"a","items":[{"game_id":"b"}]}`, `unknown field "game_id"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Records([]byte(c.text))
			require.ErrorContains(t, err, c.want, "decode %q gave %q", c.text, idsOf(got))
			require.Empty(t, got, "decode %q", c.text)
		})
	}
}

// No digit of a counter or of a time is lost.
func TestNumbersAndTimesKeepEveryDigit(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"generation":9007199254740993,"created_at":"2026-03-01T12:00:00.123456789+05:45"}`,
		"generation: 9007199254740993\ncreated_at: 2026-03-01T12:00:00.123456789+05:45\n",
	} {
		got, err := Records([]byte(text))
		require.NoError(t, err, "decode %q", text)
		require.Len(t, got, 1)
		require.EqualValues(t, 9007199254740993, got[0].Record.Generation, "decode %q", text)
		want := time.Date(2026, 3, 1, 6, 15, 0, 123456789, time.UTC)
		require.True(t, got[0].Record.CreatedAt.Equal(want), "decode %q gave %s, want %s", text, got[0].Record.CreatedAt, want)
	}
}

// Every accepted file has the same records after get and list would have written it.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{
		`{"game_id":"a","status":"running","generation":2,"created_at":"2026-03-01T12:00:00.5+05:45"}`,
		`[{"game_id":"a\u2028b\u0000"}]{"items":[{"game_id":"\ud83d\ude80"}]}`,
		"game_id: a\n---\ngame_id: 'no'\nstarted_at: 2026-03-01T12:00:00Z\n", "- region: |\n    x\n    ---\n",
		"region: \"0x10\"\nnode: '---'\n...\nnode: \"\\x85\\e\"\n", "{", "--- {}\n--- {}", "%YAML 1.2\n---\n{}\n", "\ufeff{}",
		"&a [*a]", "<<: {game_id: a}\n", "{game_id: a}\n", "[null]", "node: \"a\\n \\n--- b\"\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		records, err := Records(text)
		if err != nil {
			require.Empty(t, records, "records next to the error %v", err)
			return
		}
		require.NotEmpty(t, records)
		for _, newEncoder := range []func(out io.Writer) *render.Encoder{newJSONEncoder, render.NewYAMLEncoder} {
			var out bytes.Buffer
			encoder := newEncoder(&out)
			for _, v := range records {
				require.NoError(t, encoder.Encode(record{v.Record, v.Revision}), "encode the records of %q", text)
			}
			reread, err := Records(out.Bytes())
			require.NoError(t, err, "decode %q", out.Bytes())
			require.Equal(t, asJSON(t, records), asJSON(t, reread), "encoded as %q", out.Bytes())
		}
	})
}

func newJSONEncoder(out io.Writer) *render.Encoder { return render.NewJSONEncoder(out, false) }

// asJSON returns a form of the records that compares equal times as equal.
func asJSON(t *testing.T, records []runtime.VersionedRecord) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, newJSONEncoder(&out).Encode(records))
	return out.String()
}
