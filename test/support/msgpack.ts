/**
 * Reads MessagePack by its specification, independent of the library that the product writes it with. Knows
 * what events may hold, and refuses the rest.
 */
export function decodeMsgpack(bytes: Buffer): unknown {
  const reader = new Reader(bytes);
  const value = reader.value();
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} bytes too many`);
  return value;
}

class Reader {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  value(): unknown {
    const type = this.unsigned(1);
    if (type <= 0x7f) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type >= 0x90 && type <= 0x9f) return this.list(type & 0x0f);
    if (type >= 0xa0 && type <= 0xbf) return this.text(type & 0x1f);
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xcb:
        this.at += 8;
        return this.bytes.readDoubleBE(this.at - 8);
      case 0xcc:
        return this.unsigned(1);
      case 0xcd:
        return this.unsigned(2);
      case 0xce:
        return this.unsigned(4);
      case 0xd9:
        return this.text(this.unsigned(1));
      case 0xda:
        return this.text(this.unsigned(2));
      case 0xdc:
        return this.list(this.unsigned(2));
      default:
        throw new Error(`type 0x${type.toString(16)} has no place in an event`);
    }
  }

  private unsigned(length: number): number {
    this.at += length;
    return this.bytes.readUIntBE(this.at - length, length);
  }

  private text(length: number): string {
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  private list(length: number): unknown[] {
    return Array.from({ length }, () => this.value());
  }
}
