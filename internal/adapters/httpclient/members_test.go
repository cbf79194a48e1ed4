package httpclient_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/runtime"
)

// The name of a member is one segment of the path, and a rejection keeps its reason.
func TestRemovalOfAMemberIsRejected(t *testing.T) {
	t.Parallel()
	client, requests := scriptedClient(t, httpclient.Config{}, func(s exchange) {
		require.Equal(t, http.MethodDelete, s.r.Method)
		require.Equal(t, "/v1/cluster/members/eu%2Feu-1", s.r.URL.EscapedPath())
		require.Equal(t, "dry_run=true&replace=true", s.r.URL.RawQuery)
		p := problemOf(409, api.CodeUnsafeRemoval)
		p.Member, p.Reason, p.CanForce = "eu/eu-1", "it responds", true
		sendProblem(s, p)
	})
	_, err := client.RemoveMember(t.Context(), membership.RemovalRequest{Name: "eu/eu-1", IsReplacement: true, IsDryRun: true})
	require.Equal(t, &membership.UnsafeError{Member: "eu/eu-1", Reason: "it responds", CanForce: true}, err)
	require.EqualValues(t, 1, requests.Load())
	for code, want := range map[api.Code]error{api.CodeNoSuchMember: membership.ErrNotFound, api.CodeNoQuorum: membership.ErrNoQuorum} {
		client, _ := scriptedClient(t, httpclient.Config{}, func(s exchange) { sendProblem(s, problemOf(404, code)) })
		_, err := client.RemoveMember(t.Context(), membership.RemovalRequest{Name: "a"})
		require.ErrorIs(t, err, want)
		require.EqualError(t, err, "rejected by the script")
	}
}

// A removal is never repeated: the member may have been removed.
func TestRemovalOfAMemberWithoutAResponse(t *testing.T) {
	t.Parallel()
	client, requests := scriptedClient(t, httpclient.Config{}, func(s exchange) { s.dropConnection() })
	_, err := client.RemoveMember(t.Context(), membership.RemovalRequest{Name: "a"})
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.EqualValues(t, 1, requests.Load())
}
