package httpclient

import (
	"context"
	"net/http"
	"net/url"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/membership"
)

// Members describes the etcd members of the store, also while etcd has no quorum.
func (c *Client) Members(ctx context.Context) (api.ClusterMembers, error) {
	var members api.ClusterMembers
	_, err := c.get(ctx, apiRequest{path: "/v1/cluster/members"}, &members)
	if err == nil && members.Members == nil {
		err = c.unexpectedResponseError("a list of members")
	}
	return members, err
}

// RemoveMember removes an etcd member, unless the request is a dry run, and returns the effect.
// It fails with membership.ErrNotFound, membership.ErrNoQuorum, or a *membership.UnsafeError,
// and then nothing has changed.
func (c *Client) RemoveMember(ctx context.Context, request membership.RemovalRequest) (api.MemberRemoval, error) {
	query := url.Values{}
	for name, isSet := range map[string]bool{"replace": request.IsReplacement, "force": request.IsForced, "dry_run": request.IsDryRun} {
		if isSet {
			query.Set(name, "true")
		}
	}
	var removal api.MemberRemoval
	err := c.changeOnce(ctx, apiRequest{method: http.MethodDelete, path: "/v1/cluster/members/" + url.PathEscape(request.Name), query: query}, &removal,
		func() bool { return removal.Member.ID != "" })
	return removal, err
}
