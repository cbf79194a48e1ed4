package httpclient

import (
	"context"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Stats measures what a game uses. It fails with runtime.ErrNotFound for an unknown game, and with
// operation.ErrRejected for one that does not run.
func (c *Client) Stats(ctx context.Context, gameID string) (api.Stats, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return api.Stats{}, err
	}
	var stats api.Stats
	_, err := c.get(ctx, apiRequest{path: gamePath(gameID, "/stats")}, &stats)
	if err == nil && stats.GameID != gameID {
		err = c.unexpectedResponseError("the usage of game " + strconv.Quote(gameID))
	}
	return stats, err
}
