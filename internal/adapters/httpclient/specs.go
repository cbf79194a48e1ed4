package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Specs returns how the games are run, with their records, in the order of gameIDs. A game that
// has neither has only its id. It sends a request for each 200 games. It fails with
// runtime.ErrInvalid for an invalid id.
func (c *Client) Specs(ctx context.Context, gameIDs []string) ([]api.GameSpec, error) {
	var errs []error
	for _, gameID := range gameIDs {
		errs = append(errs, runtime.ValidateGameID(gameID))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	specs := make([]api.GameSpec, 0, len(gameIDs))
	for chunk := range slices.Chunk(gameIDs, api.MaxSpecGames) {
		body, err := json.Marshal(api.SpecsRequest{GameIDs: chunk})
		if err != nil {
			return nil, err
		}
		var page api.Specs
		_, err = c.attempt(ctx, apiRequest{method: http.MethodPost, path: "/v1/specs", body: body}, &page)
		if err != nil {
			return nil, c.unavailableError(ctx, err)
		}
		if !slices.EqualFunc(page.Items, chunk, func(s api.GameSpec, gameID string) bool { return s.GameID == gameID }) {
			return nil, c.unexpectedResponseError("the specs of the games")
		}
		specs = append(specs, page.Items...)
	}
	return specs, nil
}
