package gameports_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/gameports"
)

func TestParseRange(t *testing.T) {
	t.Parallel()
	r, err := gameports.ParseRange("20000-29999")
	require.NoError(t, err)
	require.Equal(t, gameports.Range{First: 20000, Last: 29999}, r)
	require.Equal(t, 10000, r.Size())
	require.Equal(t, "20000-29999", r.String())
	require.True(t, r.Contains(20000) && r.Contains(29999))
	require.False(t, r.Contains(19999) || r.Contains(30000))

	none, err := gameports.ParseRange("")
	require.NoError(t, err)
	require.Zero(t, none.Size())
	require.Empty(t, none.String())
	require.False(t, none.Contains(1))

	for _, text := range []string{"20000", "-", "0-10", "10-9", "1-65536", "a-b", "1-2-3", "20000-", "-5"} {
		_, err := gameports.ParseRange(text)
		require.ErrorContains(t, err, `"`+text+`" is not a range of ports`)
	}
}

func TestChooseSkipsReservedPortsAndPortsInUse(t *testing.T) {
	t.Parallel()
	inUse, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer inUse.Close()
	address, _ := inUse.LocalAddr().(*net.UDPAddr)
	port := address.Port
	require.Error(t, gameports.CheckFree(t.Context(), gameports.Key{Protocol: "udp", Port: port}))

	single := gameports.Range{First: port, Last: port}
	isFree := func(gameports.Key) bool { return false }
	_, err = single.Choose(t.Context(), "udp", isFree)
	require.ErrorIs(t, err, gameports.ErrNoFreePort)
	require.ErrorContains(t, err, "all 1 udp ports")

	_, err = single.Choose(t.Context(), "udp", func(gameports.Key) bool { return true })
	require.ErrorIs(t, err, gameports.ErrNoFreePort)
	_, err = gameports.Range{}.Choose(t.Context(), "udp", isFree)
	require.ErrorIs(t, err, gameports.ErrNoFreePort)
	_, err = single.Choose(t.Context(), "sctp", isFree)
	require.Error(t, err)
}

func TestChooseFindsTheOnlyFreePort(t *testing.T) {
	t.Parallel()
	// The ports below 100 may need rights; the only candidates are chosen by isReserved.
	r := gameports.Range{First: 1, Last: 65535}
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	require.NoError(t, err)
	address, _ := free.Addr().(*net.TCPAddr)
	require.NoError(t, free.Close())
	got, err := r.Choose(t.Context(), "udp", func(k gameports.Key) bool { return k.Port != address.Port })
	if err == nil { // another program can have taken the UDP port of that number
		require.Equal(t, address.Port, got)
	} else {
		require.ErrorIs(t, err, gameports.ErrNoFreePort)
	}
}

func TestVariable(t *testing.T) {
	t.Parallel()
	require.Equal(t, "PORT_GAME", gameports.Variable("game"))
	require.Equal(t, "PORT_GAME_DATA2", gameports.Variable("game-data2"))
}
