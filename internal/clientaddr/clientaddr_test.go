package clientaddr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/clientaddr"
)

func TestNetworkText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.1:1234":                 "10.0.0.1",
		"10.0.0.1":                      "10.0.0.1",
		"[::ffff:10.0.0.1]:80":          "10.0.0.1",
		"[2001:db8:1:2:3:4:5:6]:443":    "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:9":      "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":             "fe80::/64",
		"::1":                           "::/64",
		"@":                             "@",
		"":                              "",
		"example.com:80":                "example.com:80",
		"[2001:db8:1:2:3:4:5:6%25x]:44": "2001:db8:1:2::/64",
	} {
		require.Equal(t, want, clientaddr.NetworkText(text), text)
	}
}

func TestNetworkOfNoAddress(t *testing.T) {
	t.Parallel()
	require.False(t, clientaddr.Network(clientaddr.Parse("@")).IsValid())
}
