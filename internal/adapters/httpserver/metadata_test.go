package httpserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestMetadataIsMergedOrReplaced(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	change := func(headers, body string, status int) runtime.Metadata {
		got := f.send("POST", "/v1/runtimes/g/metadata", headers, body)
		require.Equal(t, status, got.StatusCode, got.body)
		if status != http.StatusOK {
			require.Contains(t, faultLocations(got.problem(t)), "body.", body)
			return ""
		}
		return decodeAs[runtime.RuntimeRecord](t, got.body).Metadata
	}
	require.EqualValues(t, `{"a":{"b":1},"c":2}`, change("Idempotency-Key: one\r\n", `{"merge":{"c":2,"a":{"b":1}}}`, 200))
	require.EqualValues(t, `{"a":{"b":1},"c":2}`, change("Idempotency-Key: one\r\n", `{"merge":{"c":2,"a":{"b":1}}}`, 200))
	require.EqualValues(t, `{"a":{"d":3}}`, change("", `{"merge":{"c":null,"a":{"b":null,"d":3}}}`, 200))
	require.EqualValues(t, `{"x":1}`, change("", `{"replace":{"x":1}}`, 200))
	require.Empty(t, change("", `{"replace":{}}`, 200))
	for _, invalid := range []string{
		`{}`, `{"merge":{},"replace":{}}`, `{"replace":{"x":null}}`, `{"merge":[]}`, `{"merge":"x"}`, `{"merge":null}`,
		`{"replace":{"x":"` + strings.Repeat("x", runtime.MaxMetadataBytes) + `"}}`,
		`{"merge":{"x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}}`,
	} {
		change("", invalid, 422)
	}
	got := f.send("POST", "/v1/runtimes/absent/metadata", "", `{"merge":{}}`)
	require.Equal(t, http.StatusNotFound, got.StatusCode)
}

// Concurrent merges of one game are all applied.
func TestConcurrentMetadataIsMerged(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() { f.send("POST", "/v1/runtimes/g/metadata", "", fmt.Sprintf(`{"merge":{"k%d":{"v":1}}}`, n)) })
	}
	writers.Wait()
	found, err := f.store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, 8, strings.Count(string(found.Record.Metadata), `"k`))
}
