package httpserver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Intents reads the operations of games; ports.IntentStore has the contract.
type Intents interface {
	GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error)
	GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error)
	GamesWithActiveOperation(ctx context.Context, region, node string) ([]string, error)
	GamesOfOperation(ctx context.Context, operationID string) ([]string, error)
}

// noIntents are the intents of a server without operations.
type noIntents struct{}

func (noIntents) GetIntent(context.Context, string) (ports.VersionedIntent, error) {
	return ports.VersionedIntent{}, node.ErrNoEngine
}

func (noIntents) GetIntents(context.Context, []string) ([]ports.VersionedIntent, error) {
	return nil, node.ErrNoEngine
}

func (noIntents) GamesWithActiveOperation(context.Context, string, string) ([]string, error) {
	return nil, node.ErrNoEngine
}

func (noIntents) GamesOfOperation(context.Context, string) ([]string, error) {
	return nil, node.ErrNoEngine
}

// operationSegment is the variable segment of the path of an operation.
const operationSegment = "{operation_id}"

// operationResourceRoutes returns the routes of operations as resources.
func operationResourceRoutes() []Route {
	const tag = "operations"
	readCodes := codes(storeCodes(), []api.Code{api.CodeNoEngine, api.CodeNoSuchOperation})
	cancelCodes := codes(readCodes, writeCodes(), nodeCodes(), []api.Code{api.CodeRejected, api.CodeBusy})
	canceled := jsonResponse[api.OperationResource]("The operation is being rolled back")
	canceled[0].Status = http.StatusAccepted
	const cancelSummary = "Cancel a start, restart or patch in progress: it is rolled back"
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/operations", ID: "list-operations", Tag: tag,
			Summary: "List the operations in progress", Responses: jsonResponse[api.OperationList]("The operations, oldest first"),
			Codes: codes(storeCodes(), []api.Code{api.CodeNoEngine}),
		}, (*Server).listOperations),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/operations/" + operationSegment, ID: "get-operation", Tag: tag,
			Summary: "Get an operation", Description: operationLookupDescription, Responses: jsonResponse[api.OperationResource]("The operation"), Codes: readCodes,
		}, (*Server).getOperation),
		withHandler(Route{
			Method: http.MethodDelete, Path: "/v1/operations/" + operationSegment, ID: "cancel-operation", Tag: tag,
			Summary: cancelSummary, Description: operationLookupDescription, Responses: canceled, Codes: cancelCodes,
		}, (*Server).cancelOperation),
		withHandler(Route{
			Method: http.MethodGet, Path: runtimesPath + gameIDSegment + "/operations", ID: "list-runtime-operations", Tag: tag,
			Summary: "List the operation in progress of a game, and its recent ones", Responses: jsonResponse[api.OperationList]("The operations, newest first"),
			Codes: codes(storeCodes(), []api.Code{api.CodeNoEngine}),
		}, (*Server).listGameOperations),
		withHandler(Route{
			Method: http.MethodGet, Path: runtimesPath + gameIDSegment + "/operations/" + operationSegment, ID: "get-runtime-operation", Tag: tag,
			Summary: "Get an operation of a game, in progress or one of the last 16", Responses: jsonResponse[api.OperationResource]("The operation"), Codes: readCodes,
		}, (*Server).getGameOperation),
		withHandler(Route{
			Method: http.MethodDelete, Path: runtimesPath + gameIDSegment + "/operations/" + operationSegment, ID: "cancel-runtime-operation", Tag: tag,
			Summary: cancelSummary, Responses: canceled, Codes: cancelCodes,
		}, (*Server).cancelGameOperation),
	}
}

const operationLookupDescription = "Finds an operation in progress, or one of the last 16 operations of its game, by its id alone. game_id is required if " +
	"several games have an operation with this id."

type (
	listOperationsInput struct {
		InProgress bool   `query:"in_progress" default:"true" doc:"Must be true: only operations in progress are listed for all games"`
		Region     string `query:"region" doc:"Only operations of this region"`
		Node       string `query:"node" doc:"Only operations of this node; needs a region"`
	}
	operationIDInput struct {
		OperationID string `path:"operation_id" doc:"The id of the operation, percent-encoded"`
	}
	operationLookupInput struct {
		operationIDInput
		GameID string `query:"game_id" doc:"The game of the operation; required if several games have an operation with this id"`
	}
	gameOperationInput struct {
		gameInput
		operationIDInput
	}
	cancelInput struct {
		originInput
		reasonInput
		Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
	}
	cancelOperationInput struct {
		operationLookupInput
		cancelInput
	}
	cancelGameOperationInput struct {
		gameOperationInput
		cancelInput
	}
)

// listOperations handles GET /v1/operations.
func (s *Server) listOperations(w http.ResponseWriter, r *http.Request, in *listOperationsInput) error {
	switch {
	case !in.InProgress:
		return problem.BadRequest("query.in_progress", "must be true; GET /v1/runtimes/{game_id}/operations lists the finished operations of a game")
	case in.Node != "" && in.Region == "":
		return problem.BadRequest("query.region", "must be given with node")
	}
	found, err := s.operationsInProgress(r.Context(), in.Region, in.Node)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(o api.OperationResource) bool {
		return s.checkGameIn(r.Context(), access.PermissionRead, o.Region, o.GameID) != nil
	})
	return writeJSON(w, http.StatusOK, api.OperationList{Items: found})
}

// operationsInProgress returns the operations in progress of a node, of a region, or of all, oldest first.
func (s *Server) operationsInProgress(ctx context.Context, region, nodeName string) ([]api.OperationResource, error) {
	games, err := s.cfg.Intents.GamesWithActiveOperation(ctx, region, nodeName)
	if err != nil {
		return nil, err
	}
	intents, err := s.cfg.Intents.GetIntents(ctx, games)
	if err != nil {
		return nil, err
	}
	found := []api.OperationResource{}
	for _, stored := range intents {
		found = append(found, api.OperationsInProgress(stored.Intent)...)
	}
	slices.SortStableFunc(found, func(a, b api.OperationResource) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.GameID, b.GameID))
	})
	return found, nil
}

// getOperation handles GET /v1/operations/{operation_id}.
func (s *Server) getOperation(w http.ResponseWriter, r *http.Request, in *operationLookupInput) error {
	found, err := s.findOperation(r.Context(), *in)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// listGameOperations handles GET /v1/runtimes/{game_id}/operations.
func (s *Server) listGameOperations(w http.ResponseWriter, r *http.Request, in *gameInput) error {
	stored, err := s.cfg.Intents.GetIntent(r.Context(), in.GameID)
	if err != nil {
		return err
	}
	found := api.OperationsOf(stored.Intent)
	found = slices.DeleteFunc(found, func(o api.OperationResource) bool { return s.checkOperationReadable(r.Context(), o) != nil })
	return writeJSON(w, http.StatusOK, api.OperationList{Items: found})
}

// getGameOperation handles GET /v1/runtimes/{game_id}/operations/{operation_id}.
func (s *Server) getGameOperation(w http.ResponseWriter, r *http.Request, in *gameOperationInput) error {
	found, err := s.findGameOperation(r.Context(), in.GameID, in.OperationID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// cancelOperation handles DELETE /v1/operations/{operation_id}.
func (s *Server) cancelOperation(w http.ResponseWriter, r *http.Request, in *cancelOperationInput) error {
	found, err := s.findOperation(r.Context(), in.operationLookupInput)
	if err != nil {
		return err
	}
	return s.cancel(w, r, found, &in.cancelInput)
}

// cancelGameOperation handles DELETE /v1/runtimes/{game_id}/operations/{operation_id}.
func (s *Server) cancelGameOperation(w http.ResponseWriter, r *http.Request, in *cancelGameOperationInput) error {
	found, err := s.findGameOperation(r.Context(), in.GameID, in.OperationID)
	if err != nil {
		return err
	}
	return s.cancel(w, r, found, &in.cancelInput)
}

// cancel cancels the operation on its node, and responds with the operation.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, found api.OperationResource, in *cancelInput) error {
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	trail := trailOf(r.Context())
	trail.event.GameID, trail.event.OperationID = found.GameID, found.ID
	if err := s.checkGameIn(r.Context(), access.PermissionOperate, found.Region, found.GameID); err != nil {
		return err
	}
	target, err := s.cfg.Cluster.LocateNode(r.Context(), found.GameID, node.Ref{Region: found.Region, Name: found.Node}, in.Forwarded != "")
	switch {
	case err != nil:
		return err
	case target != nil:
		return s.forwardRequest(r.Context(), w, r, *target, nil)
	}
	if origin.Actor == "" {
		origin.Actor = callers.Of(r.Context()).Identity.Subject
	}
	if err := s.cfg.Games.Cancel(r.Context(), found.GameID, found.ID, origin); err != nil {
		return err
	}
	found, err = s.findGameOperation(r.Context(), found.GameID, found.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Location", operationPath(found.GameID, found.ID))
	return writeJSON(w, http.StatusAccepted, found)
}

// findGameOperation returns the operation of a game, or operation.ErrUnknownOperation.
func (s *Server) findGameOperation(ctx context.Context, gameID, operationID string) (api.OperationResource, error) {
	stored, err := s.cfg.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return api.OperationResource{}, err
	}
	found := api.OperationsOf(stored.Intent)
	i := slices.IndexFunc(found, func(o api.OperationResource) bool { return o.ID == operationID })
	if i < 0 {
		return api.OperationResource{}, fmt.Errorf("%w: %q is neither in progress nor among the last %d operations of game %q", operation.ErrUnknownOperation, operationID, operation.MaxRecent, gameID)
	}
	return found[i], s.checkOperationReadable(ctx, found[i])
}

// findOperation returns an operation of the game gameID, or of any game if that is empty. It does not
// reveal operations that the caller may not read.
func (s *Server) findOperation(ctx context.Context, in operationLookupInput) (api.OperationResource, error) {
	if in.GameID != "" {
		if err := runtime.ValidateGameID(in.GameID); err != nil {
			return api.OperationResource{}, err
		}
		return s.findGameOperation(ctx, in.GameID, in.OperationID)
	}
	found, err := s.operationsByID(ctx, in.OperationID)
	switch {
	case err != nil:
		return api.OperationResource{}, err
	case len(found) > 1:
		return api.OperationResource{}, problem.BadRequest("query.game_id", "is required: %d games have an operation with this id", len(found))
	case len(found) == 1:
		return found[0], nil
	}
	return api.OperationResource{}, fmt.Errorf("%w: %q is neither in progress nor among the last %d operations of a game, which are kept until the game is deleted",
		operation.ErrUnknownOperation, in.OperationID, operation.MaxRecent)
}

// operationsByID returns the operations with the id that the caller may read, at most one for each game.
// It also finds the operations in progress of earlier versions, which have no index of ids.
func (s *Server) operationsByID(ctx context.Context, operationID string) ([]api.OperationResource, error) {
	games, err := s.cfg.Intents.GamesOfOperation(ctx, operationID)
	if err != nil {
		return nil, err
	}
	intents, err := s.cfg.Intents.GetIntents(ctx, games)
	if err != nil {
		return nil, err
	}
	var found []api.OperationResource
	for _, stored := range intents {
		found = append(found, api.OperationsOf(stored.Intent)...)
	}
	if len(found) == 0 {
		if found, err = s.operationsInProgress(ctx, "", ""); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(found, func(o api.OperationResource) bool {
		return o.ID != operationID || s.checkOperationReadable(ctx, o) != nil
	}), nil
}

// checkOperationReadable returns access.ErrForbidden for an operation in a region in which the caller may not read the game. An
// operation of an earlier version has no region: the record of its game has.
func (s *Server) checkOperationReadable(ctx context.Context, o api.OperationResource) error {
	if o.Region == "" {
		c, err := callers.Of(ctx).CheckGame(ctx, access.PermissionRead, o.GameID, s.games())
		if isAllowed, _ := c.Rights.AllowsGame(access.PermissionRead, o.GameID); err == nil && !isAllowed {
			return c.Forbidden(access.PermissionRead, "game "+o.GameID) // it has no record, and other labels
		}
		return err
	}
	return s.checkGameIn(ctx, access.PermissionRead, o.Region, o.GameID)
}

// operationPath returns the path of an operation of a game.
func operationPath(gameID, operationID string) string {
	return runtimesPath + url.PathEscape(gameID) + "/operations/" + url.PathEscape(operationID)
}

// isAsyncPreferred reports whether a Prefer header contains respond-async (RFC 7240).
func isAsyncPreferred(header string) bool {
	return slices.ContainsFunc(strings.Split(header, ","), func(preference string) bool {
		name, _, _ := strings.Cut(preference, ";")
		return strings.EqualFold(strings.TrimSpace(name), "respond-async")
	})
}
