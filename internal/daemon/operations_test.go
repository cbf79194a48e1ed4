package daemon_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// An operation on one node is a resource of every node: it is accepted, observed and canceled elsewhere.
func TestOperationsAcrossNodes(t *testing.T) {
	t.Parallel()
	games, other := startTwoNodes(t, processSettings(t))

	for header, query := range map[string]string{"Prefer: wait=1, respond-async; x=y": "", "X: y": "?wait=accepted"} {
		// The game never becomes healthy.
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, other.API+"/v1/runtimes/a%2Fgame/start"+query, strings.NewReader(`{"image":"game:1","health_timeout":"1h","stop_grace":"0s"}`))
		require.NoError(t, err)
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusAccepted, response.StatusCode, "%s", text)
		location := response.Header.Get("Location")
		id, isOperation := strings.CutPrefix(location, "/v1/runtimes/a%2Fgame/operations/")
		require.True(t, isOperation, "Location %q", location)
		if name == "Prefer" {
			require.Equal(t, "respond-async", response.Header.Get("Preference-Applied"))
		}

		for _, d := range []*runningDaemon{games, other} {
			listed, err := d.client.OperationsInProgress(t.Context(), "local", "before")
			require.NoError(t, err)
			require.Len(t, listed.Items, 1)
			require.Equal(t, id, listed.Items[0].ID)
			require.Equal(t, "a/game", listed.Items[0].GameID)
			found, err := d.client.Operation(t.Context(), id, "")
			require.NoError(t, err)
			require.Equal(t, api.OperationInProgress, found.Status)
			listed, err = d.client.OperationsInProgress(t.Context(), "another", "")
			require.NoError(t, err)
			require.Empty(t, listed.Items)
			_, err = d.client.CancelOperation(t.Context(), "missing", "", ports.Origin{})
			require.ErrorIs(t, err, operation.ErrUnknownOperation)
			require.ErrorContains(t, err, "nor among the last 16 operations")
		}
		require.Equal(t, http.StatusOK, statusOf(t, other.API+location))

		for range 2 { // it may be repeated, and may have ended by then
			canceled, err := other.client.CancelOperation(t.Context(), id, "a/game", ports.Origin{Actor: "ada", Reason: "over"})
			if err != nil {
				require.ErrorIs(t, err, operation.ErrRejected)
				continue
			}
			require.Equal(t, operation.FailureCanceled, canceled.Failure.Code)
		}
		require.Eventually(t, func() bool {
			found, err := other.client.Operation(t.Context(), id, "a/game")
			return err == nil && found.Status == api.OperationFailed && found.Failure.Message == "operation was canceled by ada: over"
		}, timeout, 20*time.Millisecond)
		found, err := other.client.Operation(t.Context(), id, "")
		require.NoError(t, err)
		require.Equal(t, "a/game", found.GameID)
		require.Equal(t, api.OperationFailed, found.Status)
	}
	recent, err := other.client.GameOperations(t.Context(), "a/game")
	require.NoError(t, err)
	require.Len(t, recent.Items, 2)
	_, err = games.client.Get(t.Context(), "a/game")
	if err == nil { // the start may have written the record before it was canceled
		record, err := games.client.Get(t.Context(), "a/game")
		require.NoError(t, err)
		require.Equal(t, runtime.StatusRemoved, record.Status)
	}
}
