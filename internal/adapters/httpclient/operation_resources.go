package httpclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// OperationsInProgress returns the operations in progress of a node, of a region if name is empty, or of all
// regions, oldest first.
func (c *Client) OperationsInProgress(ctx context.Context, region, name string) (api.OperationList, error) {
	query := url.Values{"in_progress": {"true"}}
	setIfGiven(query, "region", region)
	setIfGiven(query, "node", name)
	return c.operations(ctx, apiRequest{path: "/v1/operations", query: query})
}

// GameOperations returns the operation in progress of a game and its recent ones, newest first.
func (c *Client) GameOperations(ctx context.Context, gameID string) (api.OperationList, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return api.OperationList{}, err
	}
	return c.operations(ctx, apiRequest{path: gamePath(gameID, "/operations")})
}

func (c *Client) operations(ctx context.Context, request apiRequest) (api.OperationList, error) {
	var found api.OperationList
	_, err := c.get(ctx, request, &found)
	if err == nil && found.Items == nil {
		err = c.unexpectedResponseError("a list of operations")
	}
	return found, err
}

// Operation returns an operation in progress, or one of the last operations of the game gameID if that is not
// empty. It fails with operation.ErrUnknownOperation if there is none.
func (c *Client) Operation(ctx context.Context, operationID, gameID string) (api.OperationResource, error) {
	request := operationRequest(operationID, gameID)
	var found api.OperationResource
	_, err := c.get(ctx, request, &found)
	if err == nil && found.ID != operationID {
		err = c.unexpectedResponseError("operation " + strconv.Quote(operationID))
	}
	return found, err
}

// CancelOperation rolls back an operation in progress, and returns it as it is being rolled back. It may be
// repeated. It fails with operation.ErrUnknownOperation if there is no such operation, and with
// operation.ErrRejected for one that has ended or cannot be undone.
func (c *Client) CancelOperation(ctx context.Context, operationID, gameID string, origin ports.Origin) (api.OperationResource, error) {
	request := operationRequest(operationID, gameID)
	request.method, request.header = http.MethodDelete, http.Header{}
	if origin.Actor != "" {
		request.header.Set(api.HeaderActor, api.EncodeHeaderText(origin.Actor))
	}
	if origin.Reason != "" {
		request.header.Set(api.HeaderReason, api.EncodeHeaderText(origin.Reason))
	}
	var found api.OperationResource
	err := c.changeOnce(ctx, request, &found, func() bool { return found.ID == operationID })
	return found, err
}

func operationRequest(operationID, gameID string) apiRequest {
	query := url.Values{}
	setIfGiven(query, "game_id", gameID)
	return apiRequest{path: "/v1/operations/" + url.PathEscape(operationID), query: query}
}
