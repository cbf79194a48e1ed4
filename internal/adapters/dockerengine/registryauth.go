package dockerengine

import (
	"context"
	"errors"
	"fmt"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/secret"
)

// registryAuth returns the header with the credentials for the registry of the image, empty if
// there are none. Docker Engine sends them to that registry only. Credentials that
// cannot be decrypted are container.ErrNoImage: a pull without them would fail with a
// misleading reason.
func (e *Engine) registryAuth(ctx context.Context, image string) (string, error) {
	if e.cfg.Registries == nil {
		return "", nil
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", asError(container.ErrNoImage, err)
	}
	host := reference.Domain(named)
	user, password, found, err := e.cfg.Registries.CredentialsOf(ctx, host)
	switch {
	case errors.Is(err, secret.ErrUnreadable):
		return "", fmt.Errorf("%w: %w", container.ErrNoImage, err)
	case err != nil:
		return "", unavailable(err)
	case !found:
		return "", nil
	}
	auth, err := authconfig.Encode(registry.AuthConfig{Username: user, Password: password.Reveal(), ServerAddress: host})
	if err != nil {
		return "", fmt.Errorf("%w: the credentials of registry %s cannot be encoded", container.ErrNoImage, host)
	}
	return auth, nil
}
