// The race's part of the address. The runs below it have the rest.

import { raceSteps } from "../../bench/experiment/race.ts";
import { changeAddress, nearest, numberIn, readAddress } from "../shared/address.ts";
import { byId } from "../shared/text.ts";

/** Missing where the visitor chose nothing. */
export interface RacePlace {
  raceRate?: number;
  raceStep?: number;
}

/** Wild values become the nearest that there are. */
export function raceFromAddress(): RacePlace {
  const address = readAddress();
  const rates = byId("race-rate").dataset.rates?.split(" ").map(Number) ?? [];
  const place: RacePlace = {};
  const rate = numberIn(address, "raceRate", Number.NaN, [0, 1000]);
  const step = numberIn(address, "raceStep", Number.NaN, [0, raceSteps]);
  if (!Number.isNaN(rate)) place.raceRate = nearest(rates, rate);
  if (!Number.isNaN(step)) place.raceStep = Math.trunc(step);
  return place;
}

export function writeRace({ raceRate, raceStep }: RacePlace): void {
  changeAddress({ raceRate, raceStep });
}
