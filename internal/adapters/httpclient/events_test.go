package httpclient_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/domain/runtime"
)

// The client resumes after the last event of a revision, so that it receives each event once.
func TestEventsResumeAfterTheLastOfARevision(t *testing.T) {
	t.Parallel()
	responses := []string{
		`{"type":"bookmark","revision":4,"last":true}` + "\n" + `{"type":"created","revision":5,"game_id":"a"}` + "\n",
		`{"type":"created","revision":5,"game_id":"a"}` + "\n" + `{"type":"created","revision":5,"game_id":"b","last":true}` + "\n",
		`{"type":"created","revision":5,"game_id":"b","last":true}` + "\n" + `{"type":"deleted","revision":6,"game_id":"b","last":true}` + "\n" +
			`{"type":"error","revision":0,"error":{"type":"urn:rtmanager:problem:compacted","code":"compacted"},"final":true}` + "\n",
	}
	var mu sync.Mutex
	var queries []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		queries = append(queries, r.URL.RawQuery)
		w.Header().Set("Content-Type", api.NDJSONMediaType)
		w.Header().Set(api.HeaderStore, "s")
		_, _ = io.WriteString(w, responses[len(queries)-1])
	}))
	t.Cleanup(server.Close)
	client, err := httpclient.New(server.URL, httpclient.Config{MinBackoff: time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	var got []string
	for event, err := range client.Events(t.Context(), httpclient.EventOptions{Types: []gameevent.Type{gameevent.Created, gameevent.Deleted}}) {
		if err != nil {
			require.ErrorIs(t, err, runtime.ErrCompacted)
			break
		}
		got = append(got, fmt.Sprintf("%s %s %d", event.Type, event.GameID, event.Revision))
	}
	require.Equal(t, []string{"bookmark  4", "created a 5", "created b 5", "deleted b 6"}, got)
	require.Equal(t, []string{
		"type=created&type=deleted", "from_revision=4&store=s&type=created&type=deleted", "from_revision=5&store=s&type=created&type=deleted",
	}, queries)
}
