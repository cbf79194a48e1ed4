package httpserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
)

func TestOffer(t *testing.T) {
	t.Parallel()
	const path = "/v1/runtimes/g/offer"
	m := &fakeNode{offer: node.Offer{HasImage: true, Failures: 2, Starting: 3}}
	f := startWithRecords(t, localNode(m))
	c := contractOf(t, f)

	got := f.send("POST", path, "", `{"image":"gameserver:1.0.0"}`)
	require.Equal(t, 200, got.StatusCode, got.body)
	c.requireDocumented(t, "POST", path, got)
	offer := decodeAs[api.Offer](t, got.body)
	require.NotEmpty(t, offer.Node)
	require.Equal(t, m.offer, offer.Offer)

	invalid := f.send("POST", path, "", `{"image":"gameserver:1.0.0","cpus":-1}`)
	require.Equal(t, 422, invalid.StatusCode, invalid.body)
	c.requireDocumented(t, "POST", path, invalid)

	m.offerErr = container.ErrEngineUnavailable
	unavailable := f.send("POST", path, "", `{"image":"gameserver:1.0.0"}`)
	require.Equal(t, 503, unavailable.StatusCode, unavailable.body)
	c.requireDocumented(t, "POST", path, unavailable)
}
