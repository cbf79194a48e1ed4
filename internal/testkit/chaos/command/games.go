package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/traffic"
	"galaxy/rtmanager/internal/wait"
)

// The limits of the deletion of games.
const (
	deleteTimeout  = 3 * time.Minute        // of all games
	requestTimeout = 30 * time.Second       // of one request
	retryPause     = 500 * time.Millisecond // after a request that did not help
)

// deleteGames deletes the games of a run: it stops those with containers, marks the others as removed,
// and deletes the records. It returns an error for each game that remains.
func deleteGames(ctx context.Context, client *http.Client, daemons []traffic.Daemon, games map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	var remaining []error
	for _, game := range slices.Sorted(maps.Keys(games)) {
		if err := deleteGame(ctx, client, daemons, game, games[game] == "lifecycle"); err != nil {
			remaining = append(remaining, fmt.Errorf("delete game %s: %w", game, err))
		}
	}
	return errors.Join(remaining...)
}

// deleteGame deletes a game through one daemon after the other, until it does not exist or ctx ends.
func deleteGame(ctx context.Context, client *http.Client, daemons []traffic.Daemon, game string, hasContainer bool) error {
	for try := 0; ; try++ {
		address := daemons[try/2%len(daemons)].URL + "/v1/runtimes/" + url.PathEscape(game)
		isAbsent, err := stepToDeletion(ctx, client, address, hasContainer)
		if isAbsent {
			return nil
		}
		if err != nil && wait.For(ctx, retryPause) != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// stepToDeletion reads the record and makes the next request. It reports whether there is no record.
func stepToDeletion(ctx context.Context, client *http.Client, address string, hasContainer bool) (isAbsent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	status, content, err := request(ctx, client, http.MethodGet, address, nil)
	switch {
	case err != nil:
		return false, err
	case status == http.StatusNotFound:
		return true, nil
	case status != http.StatusOK:
		return false, fmt.Errorf("the daemon responded with %d: %.300s", status, content)
	}
	var record struct {
		Status      string `json:"status"`
		ContainerID string `json:"current_container_id"`
	}
	if err := json.Unmarshal(content, &record); err != nil {
		return false, fmt.Errorf("read the record: %w", err)
	}
	method, body := http.MethodPost, any(map[string]any{})
	switch {
	case record.Status == "removed":
		method, body = http.MethodDelete, nil
	case !hasContainer:
		address += "/status"
		body = map[string]any{"expected_from": record.Status, "expected_container_id": record.ContainerID, "to": "removed"}
	case record.Status == "running":
		address += "/stop"
	default:
		address += "/cleanup"
	}
	status, content, err = request(ctx, client, method, address, body)
	if err == nil && status >= http.StatusBadRequest && status != http.StatusNotFound {
		err = fmt.Errorf("the daemon responded with %d: %.300s", status, content)
	}
	return false, err
}
