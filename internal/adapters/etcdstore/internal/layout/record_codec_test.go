package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

const minimal = `{"game_id":"a","status":"running","current_container_id":"c","created_at":"2026-03-01T12:00:00Z","last_op_at":"2026-03-01T12:00:00Z","started_at":"2026-03-01T12:00:00Z"`

func decode(value string) (*Record, error) {
	return NewKeys("").DecodeRecord(&mvccpb.KeyValue{Key: []byte("/runtimes/a"), Value: []byte(value), ModRevision: 7})
}

func TestDecodeRejects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, reason string }{
		"nothing":               {``, "not a record"},
		"text":                  {`garbage`, "not a record"},
		"an array":              {`[]`, "not a record"},
		"a string":              {`"a"`, "not a record"},
		"a number":              {`1`, "not a record"},
		"null":                  {`null`, ""},
		"no members":            {`{}`, ""},
		"truncated":             {minimal, "not a record"},
		"text after":            {minimal + `} x`, "not a record"},
		"two values":            {minimal + `}{}`, "not a record"},
		"a member twice":        {minimal + `,"region":"a","region":"b"}`, "duplicate"},
		"an equal member twice": {minimal + `,"game_id":"a"}`, "duplicate"},
		"an unknown one twice":  {minimal + `,"x":1,"x":1}`, "duplicate"},
		"one twice, nested":     {minimal + `,"x":{"y":1,"y":2}}`, "duplicate"},
		"invalid UTF-8":         {minimal + `,"region":"` + "\xff" + `"}`, "UTF-8"},
		"invalid, unknown":      {minimal + `,"x":"` + "\xff" + `"}`, "UTF-8"},
		"half a surrogate":      {minimal + `,"region":"\ud800"}`, "surrogate"},
		"newer schema":          {minimal + `,"schema":2}`, "schema 2"},
		"newer, other types":    {`{"schema":9,"game_id":7}`, "schema 9"},
		"unknown status":        {strings.Replace(minimal, "running", "paused", 1) + `}`, "paused"},
		"status of other case":  {strings.Replace(minimal, `"running"`, `"Running"`, 1) + `}`, "Running"},
		"another game":          {strings.Replace(minimal, `"a"`, `"b"`, 1) + `}`, `"b"`},
		"status a number":       {strings.Replace(minimal, `"running"`, `1`, 1) + `}`, "not a record"},
		"generation a text":     {minimal + `,"generation":"1"}`, "not a record"},
		"generation too big":    {minimal + `,"generation":9223372036854775808}`, "not a record"},
		"no timestamp":          {minimal + `,"stopped_at":"yesterday"}`, "not a record"},
		"schema a text":         {minimal + `,"schema":"1"}`, "not a record"},
		"last_write an array":   {minimal + `,"last_write":[]}`, "not a record"},
	} {
		rec, err := decode(c.value)
		fault, ok := errors.AsType[*runtime.CorruptError](err)
		require.True(t, ok, "%s: got %+v, %v", name, rec, err)
		require.Equal(t, "/runtimes/a", fault.Key, name)
		require.Equal(t, "a", fault.GameID, name)
		require.Contains(t, fault.Reason, c.reason, name)
	}
}

func TestDecodeOfAForeignKeyNamesNoGame(t *testing.T) {
	t.Parallel()
	_, err := NewKeys("").DecodeRecord(&mvccpb.KeyValue{Key: []byte("/runtimes/a/b"), Value: []byte(minimal + "}")})
	fault, ok := errors.AsType[*runtime.CorruptError](err)
	require.True(t, ok)
	require.Equal(t, "/runtimes/a/b", fault.Key)
	require.Empty(t, fault.GameID)
}

func TestDecodeAcceptsAHandWrittenRecord(t *testing.T) {
	t.Parallel()
	rec, err := decode(minimal + "\n}\n")
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRunning, rec.Status)
	require.Zero(t, rec.LastWrite)
	require.EqualValues(t, 7, rec.ModRevision)
}

func TestDecodedTimestampsAreInUTC(t *testing.T) {
	t.Parallel()
	rec, err := decode(strings.Replace(minimal, `"started_at":"2026-03-01T12:00:00Z"`, `"started_at":"2026-03-01T14:00:00.5+02:00"`, 1) + "}")
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC), *rec.StartedAt)
}

// newerMembers are members of a newer version that must be kept unchanged.
const newerMembers = `"big":123456789012345678901234567890,"float":1.0e+2,"nested":{"a":[1,{"b":null}],"":""},"text":"<>\u0026é🎲","schema_extra":true`

func TestUnknownMembersSurvive(t *testing.T) {
	t.Parallel()
	rec, err := decode(minimal + `,` + newerMembers + `}`)
	require.NoError(t, err)
	for range 3 {
		value, err := EncodeRecord(rec.StoredRecord)
		require.NoError(t, err)
		require.Contains(t, string(value), newerMembers)
		rec, err = decode(string(value))
		require.NoError(t, err)
	}
}

func TestUnknownMembersOfLastOpDoNotFailARecord(t *testing.T) {
	t.Parallel()
	rec, err := decode(minimal + `,"last_write":{"operation_id":"x","seq":3,"kind":"transition","why":"newer"}}`)
	require.NoError(t, err)
	require.Equal(t, LastWrite{OperationID: "x", Seq: 3, Kind: WriteTransition}, rec.LastWrite)
}

// FuzzRecordCodec decodes any value. A value that it accepts must be JSON of this schema
// without duplicate names, must keep all its members when it is encoded, and must then
// decode to the same record.
func FuzzRecordCodec(f *testing.F) {
	for _, value := range []string{
		minimal + `}`, minimal + `,` + newerMembers + `}`, minimal + `,"schema":2}`, minimal + `,"x":1,"x":2}`, minimal + `,"region":"` + "\xff" + `"}`,
		``, `null`, `[]`, `{}`, `{"schema":1e9}`, minimal + `,"last_write":{"operation_id":"x","seq":3,"kind":"upsert"},"generation":-1}`,
		minimal + `,"Game_ID":"b","STATUS":"x"}`, `{"game_id":"a","status":"stopped"}`,
	} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		first, err := decode(string(value))
		if err != nil {
			if !errors.Is(err, runtime.ErrCorrupt) {
				t.Fatalf("rejected with %v, which is not ErrCorrupt", err)
			}
			return
		}
		requireDecodable(t, value, first)
		encoded, err := EncodeRecord(first.StoredRecord)
		if err != nil {
			// A timestamp that JSON allows and the store does not write is rejected, not
			// changed.
			if !errors.Is(err, runtime.ErrInvalid) {
				t.Fatalf("cannot be encoded: %v", err)
			}
			return
		}
		second, err := decode(string(encoded))
		if err != nil {
			t.Fatalf("encoded as %s and rejected: %v", encoded, err)
		}
		first.Schema = recordSchema
		require.Equal(t, first.RuntimeRecord, second.RuntimeRecord)
		require.Equal(t, first.LastWrite, second.LastWrite)
		require.Equal(t, members(t, value), members(t, encoded), "unknown members of %q, encoded as %q", value, encoded)
	})
}

func requireDecodable(t *testing.T, value []byte, rec *Record) {
	t.Helper()
	if !utf8.Valid(value) || !json.Valid(value) {
		t.Fatalf("accepted %q, which is not JSON in UTF-8", value)
	}
	if rec.Schema > recordSchema || !rec.Status.IsKnown() || rec.GameID != "a" {
		t.Fatalf("accepted %q as %+v", value, rec)
	}
}

// members returns the members that this version does not know.
func members(t *testing.T, value []byte) map[string]string {
	t.Helper()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(value, &all))
	for _, member := range []string{
		"game_id", "status", "region", "node", "current_container_id", "current_image_ref", "engine_endpoint", "state_path", "docker_network",
		"generation", "created_at", "last_op_at", "started_at", "stopped_at", "removed_at", "schema", "last_write",
	} {
		delete(all, member)
	}
	kept := map[string]string{}
	for name, raw := range all {
		kept[name] = compact(t, raw)
	}
	return kept
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, json.Compact(&out, raw))
	return out.String()
}
