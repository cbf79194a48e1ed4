package httpserver_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestLabelsAreMerged(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	change := func(headers, body string, status int) map[string]string {
		got := f.send("POST", "/v1/runtimes/g/labels", headers, body)
		require.Equal(t, status, got.StatusCode, got.body)
		if status != http.StatusOK {
			return nil
		}
		return decodeAs[runtime.RuntimeRecord](t, got.body).Labels
	}
	require.Equal(t, map[string]string{"env": "prod", "mode": "ranked"}, change("Idempotency-Key: one\r\n", `{"set":{"env":"prod","mode":"ranked"}}`, 200))
	require.Equal(t, map[string]string{"env": "prod", "mode": "ranked"}, change("Idempotency-Key: one\r\n", `{"set":{"env":"prod","mode":"ranked"}}`, 200))
	change("Idempotency-Key: one\r\n", `{"set":{"env":"dev"}}`, 422)
	require.Equal(t, map[string]string{"env": "dev"}, change("", `{"set":{"env":"dev"},"remove":["mode","absent"]}`, 200))
	require.Empty(t, change("", `{"remove":["env"]}`, 200))
	change("", `{}`, 422)
	change("", `{"set":{"a":"b"},"remove":["a"]}`, 422)
	change("", `{"set":{"a":null}}`, 422)

	page := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?label_selector=!env", "", "").body)
	require.Len(t, page.Items, 1)

	record := page.Items[0]
	history, err := f.store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "labels changed", history[0].Reason)
	require.Truef(t, history[0].At.After(record.LastOpAt), "the time of the change: %s", history[0].At)
	require.Equal(t, recordOf("g").LastOpAt.UTC(), record.LastOpAt.UTC(), "a change of labels is no operation")
}

// Concurrent changes of one game are all applied.
func TestConcurrentLabelsAreAllApplied(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() { f.send("POST", "/v1/runtimes/g/labels", "", fmt.Sprintf(`{"set":{"k%d":"v"}}`, n)) })
	}
	writers.Wait()
	found, err := f.store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, found.Record.Labels, 8)
}
