import { ApiProperty } from '@nestjs/swagger';

export class ClientStatusDto {
  @ApiProperty({ example: 'ok' })
  status!: string;
  @ApiProperty({ example: 'client-facing' })
  type!: string;
  @ApiProperty({ name: 'storage-proxy', example: '0.1.0', description: 'Version of the proxy' })
  'storage-proxy'!: string;
}
