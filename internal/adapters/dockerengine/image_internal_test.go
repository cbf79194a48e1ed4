package dockerengine

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestIsSameImage(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"game:1.0.0", "game:1.0.0"}, {"docker.io/library/game:1.0.0", "game:1.0.0"}, {"games/a:1", "docker.io/games/a:1"}, {"localhost/game:1.0.0", "game:1.0.0"},
	} {
		require.True(t, isSameImage(same[0], same[1]), same)
	}
	for _, other := range [][2]string{{"game:1.0.0", "game:1.0.1"}, {"sha256:00", "game:1.0.0"}, {"other/game:1.0.0", "game:1.0.0"}, {"", "game:1.0.0"}} {
		require.False(t, isSameImage(other[0], other[1]), other)
	}
}

func TestPullErrorDistinguishesTheRegistryFromTheImage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		`Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host`: container.ErrRegistryUnreachable,
		`Get "https://r/v2/": net/http: TLS handshake timeout`:                                                       container.ErrRegistryUnreachable,
		`toomanyrequests: You have reached your pull rate limit`:                                                     container.ErrRegistryUnreachable,
		`received unexpected HTTP status: 503 Service Unavailable`:                                                   container.ErrRegistryUnreachable,
		`manifest for game:9 not found: manifest unknown: manifest unknown`:                                          container.ErrNoImage,
		`pull access denied for x, repository does not exist or may require 'docker login'`:                          container.ErrNoImage,
		`unauthorized: authentication required`:                                                                      container.ErrNoImage,
	} {
		require.ErrorIs(t, pullError(errors.New(text)), want, text)
	}
}
