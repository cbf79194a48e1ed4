package runtime_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func metadataOf(t *testing.T, text string) runtime.Metadata {
	t.Helper()
	metadata, err := runtime.NewMetadata([]byte(text))
	require.NoError(t, err)
	return metadata
}

// The examples are those of RFC 7396, appendix A, whose values are objects.
func TestMetadataMerge(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, ``},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{``, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"n":12345678901234567890.10}`, `{"m":1e400}`, `{"m":1e400,"n":12345678901234567890.10}`},
		{`{"t":"<&>"}`, `{}`, `{"t":"<&>"}`},
	} {
		current := runtime.Metadata("")
		if c[0] != "" {
			current = metadataOf(t, c[0])
		}
		require.Equal(t, runtime.Metadata(c[2]), current.Merge(metadataOf(t, c[1])), "%s and %s", c[0], c[1])
	}
}

func TestMetadataLimits(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		`{"a":"` + strings.Repeat("x", runtime.MaxMetadataBytes-8) + `"}`: "",
		`{"a":"` + strings.Repeat("x", runtime.MaxMetadataBytes-7) + `"}`: "takes 8193 bytes of JSON; at most 8192 are allowed",
		`{"a":` + strings.Repeat("[", 7) + strings.Repeat("]", 7) + `}`:   "",
		`{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`:   "nests 9 levels deep; at most 8 are allowed",
		`{"a":[{"b":null}]}`: "contains null",
	} {
		err := metadataOf(t, text).Validate("metadata")
		if reason == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.ErrorContains(t, err, "metadata "+reason)
	}
	require.NoError(t, metadataOf(t, `{"a":null}`).ValidateChange("merge"))
	for _, invalid := range []string{``, `[]`, `"a"`, `null`, `{`, `{} {}`} {
		_, err := runtime.NewMetadata([]byte(invalid))
		require.Error(t, err, invalid)
	}
}

// A record without metadata has no member of it, as those of earlier versions.
func TestMetadataOfARecord(t *testing.T) {
	t.Parallel()
	record := runtime.RuntimeRecord{GameID: "g"}
	text, err := json.Marshal(record)
	require.NoError(t, err)
	require.NotContains(t, string(text), "metadata")
	record.Metadata = metadataOf(t, ` { "b" : 1 , "a" : 2 } `)
	text, err = json.Marshal(record)
	require.NoError(t, err)
	require.Contains(t, string(text), `"metadata":{"a":2,"b":1}`)
	var decoded runtime.RuntimeRecord
	require.NoError(t, json.Unmarshal(text, &decoded))
	require.True(t, record.Equal(decoded))
	text, err = json.Marshal([]runtime.Metadata{"", "{}"})
	require.NoError(t, err)
	var list []runtime.Metadata
	require.NoError(t, json.Unmarshal(text, &list))
	require.Equal(t, []runtime.Metadata{"", "{}"}, list)
	decoded.Metadata = ""
	require.False(t, record.Equal(decoded))
	record.Metadata = "{}"
	require.True(t, record.Equal(decoded))
	require.Empty(t, record.InUTC().Metadata)
}
