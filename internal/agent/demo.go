// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"io"
)

// Demo is built in demo_services.go.
func Demo(ctx context.Context, out io.Writer) error { return errors.New("not here yet") }
