package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
)

// statsRoute returns the route of what a game uses.
func statsRoute() Route {
	return withHandler(Route{
		Method: http.MethodGet, Path: runtimesPath + gameIDSegment + "/stats", ID: "get-runtime-stats", Tag: "operations",
		Summary: "Measure the CPU time and the memory of a game, on its node", Responses: jsonResponse[api.Stats]("The usage"),
		Codes: codes(storeCodes(), nodeCodes(), []api.Code{api.CodeNotFound, api.CodeRejected}),
	}, (*Server).getStats)
}

type statsInput struct {
	gameInput
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

// getStats handles GET /v1/runtimes/{game_id}/stats.
func (s *Server) getStats(w http.ResponseWriter, r *http.Request, in *statsInput) error {
	target, err := s.cfg.Cluster.Locate(r.Context(), in.GameID, in.Forwarded != "")
	if err != nil {
		return err
	}
	region := s.cfg.Region
	if target != nil {
		region = target.Region
	}
	if err := callers.Of(r.Context()).CheckPlacement(access.PermissionRead, region, in.GameID); err != nil {
		return err
	}
	if target != nil {
		return s.forwardRequest(r.Context(), w, r, *target, nil)
	}
	usage, err := s.cfg.Games.Usage(r.Context(), in.GameID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Stats{
		GameID: in.GameID, Region: s.cfg.Region, Node: s.cfg.Node, At: usage.At, CPUSeconds: usage.CPUSeconds,
		MemoryBytes: usage.MemoryBytes, MemoryLimitBytes: usage.MemoryLimitBytes, Processes: usage.Processes,
	})
}
