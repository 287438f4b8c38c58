// SPDX-License-Identifier: Apache-2.0

// Package packaging tests what is shipped and how it is confined: packages in
// clean roots, reproducibility, image, systemd unit, dropped capabilities, secrets.
// "make test-packaging" builds it all twice and runs the tests (build tag packaging)
// in a mount namespace of their own.
package packaging
