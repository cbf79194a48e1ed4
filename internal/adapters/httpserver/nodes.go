package httpserver

import (
	"net/http"
	"slices"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
)

// getNodes handles GET /v1/nodes.
func (s *Server) getNodes(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	nodes, err := s.cfg.Cluster.Nodes(r.Context())
	if err != nil {
		return err
	}
	c := callers.Of(r.Context())
	response := api.Nodes{Responder: s.self(), Items: []api.Node{}, Leaders: []node.Ref{}, Stale: nodes.IsStale}
	for _, leader := range nodes.Leaders {
		if c.CanReadRegion(leader.Region) {
			response.Leaders = append(response.Leaders, leader)
		}
	}
	visible := slices.DeleteFunc(nodes.Regions, func(r node.RegionState) bool { return !c.CanReadRegion(r.Region) })
	response.Regions = orEmpty(api.RegionsFrom(visible))
	for _, m := range nodes.Items {
		if !c.CanReadRegion(m.Region) {
			continue
		}
		response.Items = append(response.Items, encodeNode(m))
	}
	return writeJSON(w, http.StatusOK, response)
}

func encodeNode(m node.Member) api.Node {
	encoded := api.Node{Node: m.Node, Status: m.Status, Games: m.Games, Used: m.Used}
	if m.ClockOffset != 0 {
		encoded.ClockOffset = m.ClockOffset.Round(time.Second).String()
	}
	if m.Since.IsZero() {
		return encoded
	}
	since := m.Since.UTC()
	if m.Status == node.StatusStopped {
		encoded.StoppedSince = &since
	} else {
		encoded.LostSince = &since
	}
	return encoded
}

type removeNodeInput struct {
	Region string `query:"region" doc:"The region of the node"`
	Node   string `query:"node" doc:"The name of the node"`
	Force  bool   `query:"force" doc:"Remove the node although records still name it"`
}

// removeNode handles DELETE /v1/nodes.
func (s *Server) removeNode(w http.ResponseWriter, r *http.Request, in *removeNodeInput) error {
	ref := node.Ref{Region: in.Region, Name: in.Node}
	if ref.Region == "" || ref.Name == "" {
		return problem.BadRequest("query.node", "region and node are required: name the node to remove")
	}
	if err := s.cfg.Cluster.RemoveNode(r.Context(), ref, in.Force); err != nil {
		return err
	}
	s.cfg.Logger.Info("node removed from the list", "node", ref.String(), "forced", in.Force)
	return writeJSON(w, http.StatusOK, ref)
}
