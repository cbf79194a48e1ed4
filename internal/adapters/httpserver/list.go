package httpserver

import (
	"context"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type listInput struct {
	Status      string `query:"status" enum:"running,stopped,removed" doc:"Only records of this status"`
	Region      string `query:"region" doc:"Only records of this region"`
	Node        string `query:"node" doc:"Only records of this node"`
	Limit       int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"The most records on one page"`
	Continue    string `query:"continue" doc:"The continue of the page before, with the same filters"`
	Consistency string `query:"consistency" enum:"linearizable,local" default:"linearizable" doc:"How fresh the list must be. Local is answered from the server's own copy, as of the revision on the page"`
	Revision    int64  `query:"revision" minimum:"0" doc:"The revision that the list stands at; 0 or absent is now"`
}

type listOutput struct{ Body api.Page }

func (s *Server) listRuntimes(ctx context.Context, in *listInput) (*listOutput, error) {
	query := ports.PageQuery{
		Status: runtime.Status(in.Status), Region: in.Region, Node: in.Node,
		Limit: in.Limit, Revision: in.Revision, Local: in.Consistency == consistencyLocal,
	}
	storeID, err := s.learnStoreID(ctx)
	if err != nil {
		return nil, s.fail(ctx, err, inQuery)
	}
	if in.Continue != "" {
		position, problem := openToken(storeID, in.Continue, query)
		if problem != nil {
			return nil, problem
		}
		query.Revision, query.After = position.Revision, position.After
	}
	page, err := s.store.ListPage(ctx, query)
	if err != nil {
		return nil, s.fail(ctx, err, inQuery)
	}
	body := api.PageFrom(page)
	if page.Next != "" {
		body.Continue = sealToken(storeID, query, page.Revision, page.Next)
	}
	return &listOutput{Body: body}, nil
}

// consistencyLocal is the word for an answer from the server's own copy.
const consistencyLocal = "local"

func inQuery(field string) string { return "query." + field }
