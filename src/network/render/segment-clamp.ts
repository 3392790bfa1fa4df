// The routing mesh carries less than the links at its ends: TCP hears of it at its first packet, in both directions and for either family.

/** `largest`: what fits into a packet of the mesh beside the headers of IP and TCP, in bytes. */
export function segmentClamp(meshDevice: string, largest: number): readonly string[] {
  return [
    `oifname "${meshDevice}" tcp flags syn tcp option maxseg size set rt mtu`,
    `iifname "${meshDevice}" tcp flags syn tcp option maxseg size set ${largest}`,
  ];
}
