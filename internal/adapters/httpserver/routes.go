package httpserver

import (
	"net/http"
	"reflect"
	"slices"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

// routeWatch is the path of watch streams.
const routeWatch = "/v1/watch"

// Routes returns all routes, in the order of the document.
func Routes() []Route {
	routes := slices.Concat(runtimeRoutes(), operationRoutes(), operationResourceRoutes(), rolloutRoutes(), nodeRoutes(), maintenanceRoutes(), accessRoutes(), secretRoutes(), memberRoutes(), systemRoutes())
	table := requirements()
	for i := range routes {
		routes[i].Requirement = table.of(routes[i].ID)
		if routes[i].isAudited() {
			routes[i].Codes = codes(routes[i].Codes, []api.Code{api.CodeAuditUnavailable})
		}
	}
	return routes
}

func runtimeRoutes() []Route {
	const tag = "runtimes"
	asOf := ResponseHeader{Name: api.HeaderAsOf, Description: "Of a local read, its revision", Type: reflect.TypeFor[int64](), IsOptional: true}
	age := ResponseHeader{Name: api.HeaderAge, Description: "Of a local read, how many milliseconds ago etcd last confirmed that it is current", Type: reflect.TypeFor[int64](), IsOptional: true}
	heartbeat := ResponseHeader{Name: api.HeaderHeartbeat, Description: "The longest time between two writes to this stream, in seconds", Type: reflect.TypeFor[int]()}
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/runtimes", ID: "list-runtimes", Tag: tag,
			Summary: "List records, in pages of one revision", Responses: listResponses(), Description: listDescription,
			Codes: codes(storeCodes(), []api.Code{api.CodeCompacted, api.CodeForeignRevision, api.CodePartial}),
		}, (*Server).listRuntimes),
		withHandler(Route{
			Method: http.MethodGet, Path: runtimesPath + gameIDSegment, ID: "get-runtime", Tag: tag,
			Summary:   "Get one record",
			Responses: append(recordResponse("The record", asOf, age), Response{Status: http.StatusNotModified, Description: "The record still has the ETag of the request"}),
			Codes:     codes(storeCodes(), []api.Code{api.CodeNotFound}),
		}, (*Server).getRuntime),
		withHandler(Route{
			Method: http.MethodPut, Path: runtimesPath + gameIDSegment, ID: "put-runtime", Tag: tag,
			Summary: "Insert a record, or overwrite every field of the current one", Responses: recordResponse("The record as it was written"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), []api.Code{api.CodePreconditionFailed, api.CodeBusy, api.CodeManaged, api.CodeIdempotencyKeyReused}),
		}, (*Server).putRuntime),
		withHandler(Route{
			Method: http.MethodDelete, Path: runtimesPath + gameIDSegment, ID: "delete-runtime", Tag: tag,
			Summary: "Delete a removed game with its history, or any game by force", Description: deleteDescription,
			Responses: []Response{{Status: http.StatusNoContent, Description: "The game is deleted"}},
			Codes: codes(storeCodes(), writeCodes(), nodeCodes(), []api.Code{
				api.CodeNotFound, api.CodePreconditionFailed, api.CodeRejected, api.CodeBusy, api.CodeConflict, api.CodePreempted,
				api.CodeOperationFailed, api.CodeTooManyOperations, api.CodeIdempotencyKeyReused, api.CodeArchiveUnavailable,
			}),
			isDrained: true, timeout: func(c Config) time.Duration { return c.OperationTimeout },
		}, (*Server).deleteRuntime),
		withHandler(Route{
			Method: http.MethodPost, Path: runtimesPath + gameIDSegment + "/status", ID: "set-runtime-status", Tag: tag,
			Summary: "Change the status of a game if it is as expected", Responses: recordResponse("The record as it was written"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), []api.Code{api.CodeNotFound, api.CodeConflict, api.CodeInvalidTransition, api.CodeBusy, api.CodeManaged, api.CodeIdempotencyKeyReused}),
		}, (*Server).setStatus),
		withHandler(Route{
			Method: http.MethodPost, Path: runtimesPath + gameIDSegment + "/labels", ID: "label-runtime", Tag: tag,
			Summary: "Add, replace and remove labels of a game", Responses: recordResponse("The record with its labels"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), []api.Code{api.CodeNotFound, api.CodeBusy, api.CodeConflict, api.CodeIdempotencyKeyReused}),
		}, (*Server).changeLabels),
		withHandler(Route{
			Method: http.MethodPost, Path: runtimesPath + gameIDSegment + "/metadata", ID: "change-runtime-metadata", Tag: tag,
			Summary: "Merge into the metadata of a game, or replace it", Responses: recordResponse("The record with its metadata"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), []api.Code{api.CodeNotFound, api.CodeBusy, api.CodeConflict, api.CodeIdempotencyKeyReused}),
		}, (*Server).changeMetadata),
		withHandler(Route{
			Method: http.MethodGet, Path: runtimesPath + gameIDSegment + "/history", ID: "get-runtime-history", Tag: tag,
			Summary: "Get the recent transitions of a game, newest first", Responses: jsonResponse[api.History]("The ledger"),
			Codes: codes(storeCodes(), []api.Code{api.CodeNotFound}),
		}, (*Server).getHistory),
		withoutDeadline(withHandler(Route{
			Method: http.MethodGet, Path: routeWatch, ID: "watch-runtimes", Tag: "watch",
			Summary: "Watch every change of every record, in order and once", Description: watchDescription,
			Responses: []Response{withStreams[api.Event](Response{Status: http.StatusOK, Description: "The stream", Headers: []ResponseHeader{heartbeat}})},
			Codes:     codes(storeCodes(), []api.Code{api.CodeNotAcceptable, api.CodeCompacted, api.CodeForeignRevision, api.CodeTooManyStreams}),
			isStream:  true,
		}, (*Server).watchRuntimes)),
		eventsRoute(heartbeat),
	}
}

// operationRoutes returns the routes that run operations.
func operationRoutes() []Route {
	operate := func(kind operation.Kind, summary string) Route {
		result := jsonResponse[api.OperationResult]("The operation has ended, or has reached the state of wait")[0]
		return Route{
			Method: http.MethodPost, Path: runtimesPath + gameIDSegment + "/" + string(kind), ID: string(kind) + "-runtime", Tag: "operations",
			Summary: summary, Description: operationDescription,
			Responses: []Response{withStreams[api.OperationEvent](result), {
				Status: http.StatusAccepted, Description: "The operation is accepted and continues", Content: jsonResponse[api.OperationResult]("")[0].Content,
				Headers: []ResponseHeader{{Name: "Location", Description: "The path of the operation", Type: reflect.TypeFor[string]()}},
			}},
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), nodeCodes(), []api.Code{
				api.CodeNotFound, api.CodeConflict, api.CodeBusy, api.CodeRejected, api.CodeNoImage, api.CodeRegistryUnreachable, api.CodeStartFailed,
				api.CodeOperationFailed, api.CodeSecretUnresolved, api.CodeTooManyOperations, api.CodeNoCapacity, api.CodePreconditionFailed, api.CodePreempted, api.CodeCanceled, api.CodeIdempotencyKeyReused,
			}),
			timeout:     func(c Config) time.Duration { return c.OperationTimeout },
			isOperation: true, isDrained: true,
		}
	}
	return []Route{
		withHandler(operate(operation.KindStart, "Start a game, for the first time or after a stop"), (*Server).startGame),
		withHandler(operate(operation.KindStop, "Stop a game; its container is kept. A stop preempts a start, restart or patch in progress, and one with less time a stop"), (*Server).stopGame),
		withHandler(operate(operation.KindRestart, "Stop a game and start it"), plainOperationHandler(operation.KindRestart)),
		withHandler(operate(operation.KindPatch, "Run a game with another image; the previous one is restored if the new one does not start"), (*Server).patchGame),
		withHandler(operate(operation.KindMove, "Run a game on another node: it is stopped and started there; if it does not start there, it is started on the former node"), (*Server).moveGame),
		withHandler(operate(operation.KindCleanup, "Remove the container of a stopped game"), plainOperationHandler(operation.KindCleanup)),
	}
}

// nodeRoutes returns the routes that concern nodes and their findings.
func nodeRoutes() []Route {
	const tag = "operations"
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: runtimesPath + gameIDSegment + "/explain", ID: "explain-runtime", Tag: tag,
			Summary: "Explain what a game is doing, and why", Responses: jsonResponse[drift.Explanation]("The explanation"),
			Codes: codes(storeCodes(), nodeCodes(), []api.Code{api.CodeNotFound, api.CodeOutcomeUnknown}), isDrained: true,
		}, (*Server).explainRuntime),
		logRoute(),
		execRoute(),
		statsRoute(),
		withHandler(Route{
			Method: http.MethodPost, Path: "/v1/specs", ID: "get-specs", Tag: tag,
			Summary: "Get the specs of games, with their records", Responses: jsonResponse[api.Specs]("The specs"),
			Codes:  codes(storeCodes(), bodyCodes(), []api.Code{api.CodeNoEngine}),
			isRead: true,
		}, (*Server).getSpecs),
		withHandler(Route{
			Method: http.MethodPost, Path: runtimesPath + gameIDSegment + "/offer", ID: "get-offer", Tag: tag,
			Summary: "Report how well this node could run a game; daemons use it to select a node", Responses: jsonResponse[api.Offer]("The offer"),
			Codes:  codes(storeCodes(), nodeCodes(), bodyCodes(), []api.Code{api.CodeSecretUnresolved}),
			isRead: true,
		}, (*Server).getOffer),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/nodes", ID: "get-nodes", Tag: tag,
			Summary: "List the present, stopped and lost nodes, and the leader of each region", Responses: jsonResponse[api.Nodes]("The nodes"),
			Codes: codes(storeCodes(), []api.Code{api.CodeNoEngine}),
		}, (*Server).getNodes),
		withHandler(Route{
			Method: http.MethodDelete, Path: "/v1/nodes", ID: "remove-node", Tag: tag,
			Summary: "Remove an absent node from the list of nodes", Responses: jsonResponse[node.Ref]("The removed node"),
			Codes: codes(storeCodes(), writeCodes(), []api.Code{api.CodeNotFound, api.CodeNoEngine, api.CodeRejected}),
		}, (*Server).removeNode),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/drift", ID: "get-drift", Tag: tag,
			Summary: "List the differences between records and engines, and the proposed actions", Responses: jsonResponse[drift.Report]("The report"),
			Codes: codes(storeCodes(), nodeCodes(), []api.Code{api.CodePartial}), isDrained: true,
		}, (*Server).getDrift),
		withHandler(Route{
			Method: http.MethodPost, Path: "/v1/drift/apply", ID: "apply-drift", Tag: tag,
			Summary: "Apply findings, each if nothing has changed since it was reported", Responses: jsonResponse[api.DriftApplied]("The results"),
			Codes: codes(storeCodes(), nodeCodes(), bodyCodes()), isDrained: true,
			timeout: func(c Config) time.Duration { return c.OperationTimeout },
		}, (*Server).applyDrift),
		withHandler(Route{
			Method: http.MethodPost, Path: "/v1/drift/release", ID: "release-brake", Tag: tag,
			Summary: "Allow what the brake of a node blocks", Responses: jsonResponse[node.Ref]("The node whose brake was released"),
			Codes: codes(storeCodes(), nodeCodes(), writeCodes(), []api.Code{api.CodeRejected}), isDrained: true,
		}, (*Server).releaseBrake),
	}
}

// checkTimeout is the deadline of a request that reads a whole family of keys.
func checkTimeout(c Config) time.Duration { return c.CheckTimeout }

// systemRoutes returns the routes that concern the store and the daemon.
func systemRoutes() []Route {
	const tag = "system"
	unready := jsonResponse[probeResult]("Not ready; the checks contain the reasons")[0]
	unready.Status = http.StatusServiceUnavailable
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/cluster", ID: "get-cluster", Tag: tag,
			Summary: "Describe the store, its etcd members, and the daemon that responds", Responses: jsonResponse[api.Cluster]("The cluster"),
			Codes: codes(storeCodes()),
		}, (*Server).getCluster),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/stores", ID: "get-stores", Tag: tag,
			Summary: "List the stores: the daemon's own, and those that it federates", Description: storesDescription,
			Responses: jsonResponse[api.Stores]("The stores"), Codes: codes(),
		}, (*Server).getStores),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/fsck", ID: "check-store", Tag: tag,
			Summary: "Check the store's invariants at one revision", Responses: jsonResponse[api.Check]("The result"),
			Codes: codes(storeCodes()), timeout: checkTimeout,
		}, (*Server).checkStore),
		withHandler(Route{
			Method: http.MethodPost, Path: "/v1/fsck/repair", ID: "repair-store", Tag: tag,
			Summary: "Check the store's invariants and repair what can be repaired", Responses: jsonResponse[api.Check]("The result"),
			Codes: codes(storeCodes(), writeCodes()), timeout: checkTimeout,
		}, (*Server).repairStore),
		withHandler(Route{
			Method: http.MethodGet, Path: "/healthz", ID: "get-health", Tag: tag,
			Summary: "Report that the process serves; never calls the store", Responses: jsonResponse[probeResult]("It serves"), Codes: codes(),
		}, (*Server).getHealth),
		withHandler(Route{
			Method: http.MethodGet, Path: "/readyz", ID: "get-readiness", Tag: tag,
			Summary: "Report whether clients should send requests here", Responses: append(jsonResponse[probeResult]("Ready"), unready), Codes: codes(),
		}, (*Server).getReady),
		withRawHandler(Route{
			Method: http.MethodGet, Path: "/metrics", ID: "get-metrics", Tag: tag, Summary: "Metrics in the text format of Prometheus",
			Responses: []Response{{Status: http.StatusOK, Description: "The metrics", Content: map[string]reflect.Type{"text/plain": reflect.TypeFor[string]()}}},
			Codes:     codes(),
		}, (*Server).getMetrics),
		withRawHandler(Route{Method: http.MethodGet, Path: "/openapi.json", ID: "get-document", IsHidden: true}, (*Server).getOpenAPI),
	}
}

const storesDescription = "A request to /v1/stores/{store} followed by any path of this API is forwarded to a daemon of that store, as in " +
	"/v1/stores/us/v1/runtimes/game-1/stop. The response is the one of that store: its record, its revisions, its Rtmanager-Store. The store " +
	"authorizes the caller by its own policy. Two problems come from this daemon: no_such_store means that it federates no store of that name, " +
	"and store_unusable that the store does not respond or is not compatible, and that nothing was done. outcome_unknown means that a change may " +
	"have reached the store. A request that was forwarded to a store is not forwarded to a third one."

const deleteDescription = "Deletes the record, the history and the intent of the game. Watches deliver a deleted event. A game of the same id that is " +
	"started later is a new game.\n\n" +
	"rejected (409) means that the game is not removed, or that a node may still have a container of it. busy (409) means that an " +
	"operation on the game is in progress. A request with the Idempotency-Key of a successful deletion succeeds and deletes nothing, as " +
	"long as the daemon keeps that key; after that it is not_found.\n\n" +
	"With force=true a game that is not removed is stopped and cleaned up on its node first; the game is deleted once both operations have succeeded. " +
	"A repeated request with the same Idempotency-Key continues where the first one ended. " +
	"It is rejected while the node of the game is absent, unless an operator has removed the node from the list of nodes: then only the record is removed.\n\n" +
	"A deletion takes no space: it works while the store is read-only."

const watchDescription = "A stream of events as text/event-stream, or with Accept: application/x-ndjson one JSON event per line.\n\n" +
	"Without from_revision it starts with a snapshot event for each record, then synced, then every change. The id of a " +
	"server-sent event names its revision and the store, and only the last event of a revision has one: Last-Event-ID resumes " +
	"there. At a server of another store it starts a resync with resync=true, and is a problem with status 410 without. An idle " +
	"event stream has comments; an idle NDJSON stream repeats the bookmark of the latest revision to resume from.\n\n" +
	"An error before the stream has started is an ordinary problem. A later one is an event of type error: with final true the " +
	"stream ends; with final false it reports one value that cannot be decoded, and continues. The server-sent event of the latter is " +
	"named corrupt, because a browser takes an event named error for a lost connection."

const operationDescription = "Responds when the operation has ended, or earlier if wait is given. The operation continues if the client disconnects or a " +
	"response is lost. Idempotency-Key is its id: a request with the id of the operation in progress waits for it, and one with the " +
	"id of one of the last 16 operations of the game returns its outcome. The same id with other settings is rejected.\n\n" +
	"With Accept: application/x-ndjson or text/event-stream the response is a stream of events: progress, then one result or " +
	"one error. An error before the stream has started is an ordinary problem; a later one is in the event.\n\n" +
	"A request for a game of another node is forwarded to that node. node_unreachable means that nothing was done, and " +
	"outcome_unknown that the operation may continue."
